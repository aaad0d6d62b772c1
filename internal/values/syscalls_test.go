package values

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// rareCalls makes system calls that nothing else makes, and many.
func rareCalls(did ledger) {
	const none = 1 << 30 // no process has this number
	for range rare {
		_, _, e := unix.RawSyscall(unix.SYS_SCHED_RR_GET_INTERVAL, none, 0, 0)
		did[unix.ErrnoName(e)]++
		_, _, _ = unix.RawSyscall(unix.SYS_IOPRIO_GET, 1, 0, 0)
		_, _, e = unix.RawSyscall(unix.SYS_IOPRIO_GET, 77, 0, 0)
		did[unix.ErrnoName(e)]++
	}
}

const rare = 2000

func TestSyscalls(t *testing.T) {
	need.EachKernel(t)
	s := serve(t, load(t, "syscalls.yaml"))
	did := ledger{}
	compare(t, s, func() { rareCalls(did) },
		comparison{ours: ours("ply_syscalls_returned_total", "syscall", "ioprio_get"), source: "perf's count of sys_exit_ioprio_get",
			theirs: perfTracepoint(t, "syscalls/sys_exit_ioprio_get"), least: 2 * rare},
		comparison{ours: ours("ply_syscalls_returned_total", "syscall", "sched_rr_get_interval"), source: "perf's count of sys_exit_sched_rr_get_interval",
			theirs: perfTracepoint(t, "syscalls/sys_exit_sched_rr_get_interval"), least: rare},
		comparison{ours: ours("ply_syscalls_errors_total", "errno", "ESRCH", "syscall", "sched_rr_get_interval"), source: "what the call returns", theirs: did.of("ESRCH"), least: rare},
		comparison{ours: ours("ply_syscalls_errors_total", "errno", "EINVAL", "syscall", "ioprio_get"), source: "what the call returns", theirs: did.of("EINVAL"), least: rare},
		comparison{ours: ours("ply_syscalls_returned_total"), source: "perf's count of sys_exit", theirs: perfTracepoint(t, "raw_syscalls/sys_exit"), least: 3 * rare},
	)
}

// The table of strace -c has as many calls and errors.
func TestSyscallsLikeStrace(t *testing.T) {
	need.BPF(t)
	need.Command(t, "strace")
	s := serve(t, load(t, "syscalls.yaml"))
	table := strace{}
	compare(t, s, func() { table.run(t, "rare calls", "") },
		comparison{ours: ours("ply_syscalls_returned_total", "syscall", "ioprio_get"), source: "calls of strace -c", theirs: table.of("ioprio_get", 3), least: 2 * rare},
		comparison{ours: ours("ply_syscalls_errors_total", "syscall", "ioprio_get"), source: "errors of strace -c", theirs: table.of("ioprio_get", 4), least: rare},
		comparison{ours: ours("ply_syscalls_errors_total", "syscall", "sched_rr_get_interval"), source: "errors of strace -c", theirs: table.of("sched_rr_get_interval", 4), least: rare},
	)
}

// strace is the table that strace -c writes, by the name of the call: share,
// seconds, µs for each call, calls, errors.
type strace map[string][]float64

func (table strace) run(t *testing.T, work, arg string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "table")
	run(t, workload(work, arg, "strace", "-f", "-c", "-o", file))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 5 {
			continue
		}
		for _, word := range words[:len(words)-1] {
			if n, err := strconv.ParseFloat(word, 64); err == nil {
				table[words[len(words)-1]] = append(table[words[len(words)-1]], n)
			}
		}
	}
}

func (table strace) of(call string, column int) func(*testing.T) float64 {
	return func(t *testing.T) float64 {
		t.Helper()
		if row := table[call]; len(row) > column {
			return row[column]
		}
		return 0
	}
}
