package bpfgen_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/need"
)

// The kernel keeps track of a limited number of callers of a function whose
// return is probed. 200 callers asleep at once are not too many, unless the script
// asks for the plain way; what it then misses it counts, where it counts at all.
func TestMissedReturns(t *testing.T) {
	need.EachArch(t)
	need.Guest(t)
	need.Kprobes(t)
	const callers = 200
	sleeper := []byte("sleeper\x00")
	work := func() {
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				runtime.LockOSThread() // and never unlocked: the thread ends here
				_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&sleeper[0])), 0, 0, 0)
				_ = unix.Nanosleep(&unix.Timespec{Sec: 1}, nil)
			})
		}
		all.Wait()
	}
	k := running(t)
	script := "kprobe:hrtimer_nanosleep / comm == \"sleeper\" / { @in = count(); } kretprobe:hrtimer_nanosleep / comm == \"sleeper\" / { @out = count(); }"
	for _, plain := range []bool{false, true} {
		text, missed := traceMissing(t, k, script, bpfgen.Options{PlainAttach: plain}, work)
		var in, out int
		if _, err := fmt.Sscanf(text, "@in %d\n@out %d", &in, &out); err != nil || in < callers || out > in {
			t.Errorf("plain=%v: %s", plain, text)
		}
		if !plain && (out != in || missed != 0) {
			t.Errorf("%d entered, %d returned, %d missed", in, out, missed)
		}
		t.Logf("plain=%v: in %d, out %d, missed %d", plain, in, out, missed)
		if k.Has(kernel.MissedCounts) && out+missed < in {
			t.Errorf("plain=%v: %d entered, %d returned, %d missed", plain, in, out, missed)
		}
		if !k.Has(kernel.MissedCounts) && missed != 0 {
			t.Errorf("plain=%v: %d missed, which this kernel does not count", plain, missed)
		}
	}
}
