package tracer

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// What cannot be read of a process is counted, once for each reading, and what can be read
// is not. Memory of the kernel is not counted.
func TestFaults(t *testing.T) {
	need.OldAndNew(t)
	for _, row := range []struct {
		body  string
		reads uint64 // of memory of the process, for each call
	}{
		{`@[str(arg1)] = count();`, 1},
		{`@ = sum(*(u32 *)arg1);`, 1},
		{`@[str(arg1, (arg2 & 7) + 1)] = count();`, 1},
		{`@[str(arg1, arg2), str(arg1, arg2 - 1), *(u8 *)arg1] = count();`, 1}, // no text has no address
		{`@[str(arg1), *(u8 *)(arg1 + 1)] = count(); @l = sum(strlen(str(arg1, 8)));`, 3},
		{`if (*(u8 *)arg1 == 120) { @x[str(arg1)] = count(); } else { @ = count(); }`, 1},
		{`p = (u64 *)16; @ = sum(*p);`, 0},
	} {
		tr := start(t, compile(t, `kprobe:SyS_unlinkat / pid == PID / { `+row.body+` }`), testOptions(t))
		nowhere[1] = 'n' // its page is in memory
		unlinkat(7, 16)
		unlinkat(5, uintptr(unsafe.Pointer(&nowhere[0])))
		if got := tr.Faults(); got != 7*row.reads {
			t.Errorf("%s: %d faults, want %d", row.body, got, 7*row.reads)
		}
		if tr.obj.ReadsUser != (row.reads > 0) {
			t.Errorf("%s: reads memory of processes: %t", row.body, tr.obj.ReadsUser)
		}
		tr.Close()
		if got := tr.Faults(); got != 0 {
			t.Errorf("%s: %d faults when it is closed", row.body, got)
		}
	}
}

// nowhere is a path at an address that does not change.
var nowhere = []byte("/nonexistent/y\x00")

// unlinkat calls unlinkat with a path at an address.
func unlinkat(times int, path uintptr) {
	for range times {
		_, _, _ = unix.Syscall(unix.SYS_UNLINKAT, 0, path, 0)
	}
}
