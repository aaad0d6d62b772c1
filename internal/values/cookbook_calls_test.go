package values

import (
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// times is how often a recipe's work happens, unless it takes long.
const times = 40

var callRecipes = []recipe{
	{
		script: "call_errors",
		work:   func(_ *testing.T, did ledger) { rareCalls(did) },
		compared: func(_ *testing.T, did ledger) []comparison {
			return []comparison{
				{ours: ours("ply_call_errors_total", "errno", "ESRCH", "syscall", "sys_sched_rr_get_interval"), source: "what the call returns", theirs: did.of("ESRCH"), least: rare},
				{ours: ours("ply_call_errors_total", "errno", "EINVAL", "syscall", "sys_ioprio_get"), source: "what the call returns", theirs: did.of("EINVAL"), least: rare},
			}
		},
	},
	{
		script: "call_errors_by_user",
		work: func(t *testing.T, did ledger) {
			asUser(t, 4711, func() {
				for range times {
					if unix.Access("/proc/1/mem", unix.R_OK) == unix.EACCES {
						did["EACCES"]++
					}
				}
			})
		},
		compared: func(_ *testing.T, did ledger) []comparison {
			return []comparison{{ours: ours("ply_call_errors_by_user_total", "username", "4711"), source: "what access returns", theirs: did.of("EACCES"), least: times}}
		},
	},
	{
		script: "missing_files",
		work: func(t *testing.T, did ledger) {
			inThread(t, "cookbook-search", func() {
				for range times {
					if _, err := unix.Open("/no/such/file", unix.O_RDONLY, 0); err == unix.ENOENT {
						did["ENOENT"]++
					}
					if fd, err := unix.Open("/dev/null", unix.O_RDONLY, 0); err == nil {
						unix.Close(fd)
					}
				}
			})
		},
		compared: func(_ *testing.T, did ledger) []comparison {
			return []comparison{{ours: ours("ply_missing_files_total", "comm", "cookbook-search"), source: "what open returns", theirs: did.of("ENOENT"), least: times}}
		},
	},
	{
		script: "user_io",
		work:   readAndWrite,
		compared: func(_ *testing.T, did ledger) []comparison {
			return []comparison{
				{ours: ours("ply_user_io_read_bytes_total", "user", "4711"), source: "what read and pread return", theirs: did.of("read"), least: times},
				{ours: ours("ply_user_io_written_bytes_total", "user", "4711"), source: "what write returns", theirs: did.of("written"), least: times},
			}
		},
	},
	{
		script: "futex",
		work: func(t *testing.T, did ledger) {
			inThread(t, "cookbook-futex", func() { did.timed(func() { waitInVain(did) }) })
		},
		compared: func(_ *testing.T, did ledger) []comparison {
			// Go waits in this thread, too, each time it stops it: all of it while the clock runs.
			return []comparison{
				{ours: ours("ply_futex_wait_seconds_count", "comm", "cookbook-futex"), source: "how often futex was called to wait", theirs: did.of("waits"), least: times, slack: times / 2},
				didTake(ours("ply_futex_wait_seconds_sum", "comm", "cookbook-futex"), did, 0.3),
			}
		},
	},
}

// didTake compares a sum of seconds with the time that the calls took as their
// caller sees it, did["seconds"]. Of that a part at least is the call itself: most of it
// where it sleeps, and little where it does nothing.
func didTake(m metric, did ledger, part float64) comparison {
	return comparison{ours: m, source: "the caller's clock, a part of it or all", least: 1e-9, theirs: did.of("seconds"), part: part}
}

// timed does something and notes how long it took.
func (l ledger) timed(work func()) {
	start := time.Now()
	work()
	l["seconds"] += time.Since(start).Seconds()
}

// asUser does something in a thread whose user is another one, without any privilege.
func asUser(t *testing.T, uid int, work func()) {
	t.Helper()
	inThread(t, "cookbook-user", func() {
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); e != 0 {
			t.Error(e)
			return
		}
		work()
	})
}

// readAndWrite asks for more than there is, in calls that read nothing, some, and
// fail.
func readAndWrite(t *testing.T, did ledger) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	asUser(t, 4711, func() {
		buffer := make([]byte, 64<<10)
		note := func(what string, n int, _ error) { did[what] += float64(max(n, 0)) }
		for i := range times {
			n, err := unix.Read(ends[0], buffer) // EAGAIN
			note("read", n, err)
			n, err = unix.Write(ends[1], buffer[:100+i])
			note("written", n, err)
			n, err = unix.Read(ends[0], buffer)
			note("read", n, err)
			n, err = unix.Pread(ends[0], buffer, 0) // ESPIPE
			note("read", n, err)
			n, err = unix.Write(-1, buffer) // EBADF
			note("written", n, err)
		}
	})
}

// waitInVain waits for a word of memory that nobody changes, and asks who else
// waits for it.
func waitInVain(did ledger) {
	word := int32(7)
	limit := unix.NsecToTimespec(int64(time.Millisecond))
	for range times {
		did["waits"]++
		futex(&word, futexWait, 7, &limit)
		futex(&word, futexWake, 1, nil)
	}
}

// Operations of futex, on memory of this process alone: from
// include/uapi/linux/futex.h.
const (
	futexWait = 0 | 128
	futexWake = 1 | 128
)

func futex(word *int32, op, value int, limit *unix.Timespec) {
	_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), uintptr(op), uintptr(value), uintptr(unsafe.Pointer(limit)), 0, 0)
}
