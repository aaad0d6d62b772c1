package values

import (
	"testing"

	"golang.org/x/sys/unix"
)

var securityRecipes = []recipe{
	{
		script: "ptrace",
		work: func(_ *testing.T, did ledger) {
			for range times {
				if unix.PtraceAttach(nobody) == unix.ESRCH && unix.PtraceSeize(nobody) == unix.ESRCH {
					did["attaches"] += 2
				}
				_ = unix.PtraceDetach(nobody) // is not to be counted
				_ = unix.PtraceDetach(nobody)
			}
		},
		compared: func(_ *testing.T, did ledger) []comparison {
			return []comparison{{ours: ours("ply_ptrace_attaches_total", "user", "root"), source: "how often ptrace was called to attach", theirs: did.of("attaches"), least: times}}
		},
	},
	{
		script: "setuid",
		work: func(t *testing.T, did ledger) {
			asUser(t, 4711, func() {
				did["OK"]++ // what asUser does
				for range times {
					if _, _, e := unix.RawSyscall(unix.SYS_SETUID, 0, 0, 0); e == unix.EPERM {
						did["EPERM"]++
					}
				}
			})
		},
		compared: func(_ *testing.T, did ledger) []comparison {
			return []comparison{
				{ours: ours("ply_setuid_total", "user", "4711", "syscall", "sys_setresuid", "errno", "OK"), source: "what the call returns", theirs: did.of("OK")},
				{ours: ours("ply_setuid_total", "user", "4711", "syscall", "sys_setuid", "errno", "EPERM"), source: "what the call returns", theirs: did.of("EPERM"), least: times},
			}
		},
	},
	{
		script: "clock",
		work: func(_ *testing.T, did ledger) {
			for range times {
				if unix.ClockSettime(unix.CLOCK_REALTIME, &unix.Timespec{Nsec: 2e9}) == unix.EINVAL {
					did["EINVAL"]++
				}
			}
		},
		compared: func(_ *testing.T, did ledger) []comparison {
			return []comparison{{ours: ours("ply_clock_sets_total", "syscall", "sys_clock_settime", "errno", "EINVAL"), source: "what the call returns", theirs: did.of("EINVAL"), least: times}}
		},
	},
}

// nobody is a number that no process has.
const nobody = 1 << 30
