package bpfgen

import (
	"testing"

	"ply-exporter/plylang"
)

// FuzzBuild compiles anything against a recorded kernel; it must not panic.
func FuzzBuild(f *testing.F) {
	for _, script := range []string{
		"kprobe:SyS_* { $syscalls[func].count() }",
		"kprobe:SyS_read { $sizes.quantize(arg(2)) }",
		"tracepoint:sched/sched_switch / data->prev_pid > 5 / { start[data->next_comm] = time; @[comm, pid] = quantize(time - start[comm], 2); }",
		"BEGIN { x = 5; x /= 3; @a = x % 2 ? str(0, 9) : comm; if (@a == \"x\") exit(3); else printf(\"%d %s\", x, @a); }",
		"BEGIN { unroll (4) { @[(u8)i++] = llquantize(i, 10, 0, 2, 20); if (i > 2) break; } delete @[3]; clear(@); }",
		"profile:99hz { @[kstack, cpu] = count(); @m = min(curtask->pid); @n[ntop(mem(curtask, 4))] = avg(rand); }",
		"kretprobe:sys_read { @[retval < 0 ? errno(-retval) : 0] = lquantize(retval, -10, 100, 7); @x = retval ^^ 1 || !pid; }",
		"END { print(@t); @t[str(0)]++; @t[strlen(comm) << 3 >> 1] -= -1; }",
	} {
		f.Add(script)
	}
	k := recorded(f, "6.18-amd64")
	f.Fuzz(func(t *testing.T, script string) {
		if o, err := Build(&plylang.Source{Text: script}, k, Options{Run: true}, nil); err == nil {
			_ = listing(o)
		}
	})
}
