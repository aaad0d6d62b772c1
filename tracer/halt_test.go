package tracer

import (
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// All probes stop at the same instant, although they are detached one by one:
// what a thread does all the while is counted the same by each, up to the event
// that it is at. END runs afterwards and may call exit().
func TestStopIsOneInstant(t *testing.T) {
	need.EachKernel(t)
	obj := compile(t, `
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ { @a = count(); }
		rawtracepoint:sys_enter /pid == PID && arg1 == GETPPID/ { @b = count(); }
		tracepoint:raw_syscalls/sys_exit /pid == PID && data->id == GETPPID/ { @c = count(); }
		tracepoint:kmem:* /pid == 0 && pid == 1/ { @[probe] = count(); }
		END { @end = count(); exit(4); @end = count(); }`)
	tr := start(t, obj, testOptions(t))
	var over atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !over.Load() {
			syscalls(unix.SYS_GETPPID, 100, 0)
		}
	}()
	eventually(t, "calls are counted", func() bool { return counts(t, tr, obj.Maps[2], 0)[0] > 1000 })
	if err := tr.Stop(); err != nil {
		t.Fatal(err)
	}
	first := cells(t, tr)
	syscalls(unix.SYS_GETPPID, 1000, 0)
	over.Store(true)
	<-done
	if got := cells(t, tr); !equal(got, first) {
		t.Errorf("after Stop the counts went from %d to %d", first, got)
	}
	a, b, c, end := first[0], first[1], first[2], first[len(first)-1]
	if max(a, b, c)-min(a, b, c) > 1 || end != 1 {
		t.Errorf("@a, @b, @c, @end are %d, %d, %d, %d, want the same but for one event, and 1", a, b, c, end)
	}
	if status := waitExit(t, tr); status != 4 {
		t.Errorf("exit status %d, want 4", status)
	}
	if n := tr.Active(); n != 0 {
		t.Errorf("%d probes active after Stop, want 0", n)
	}
}

// Where membarrier is refused, a map of maps does the waiting.
func TestWaitByMap(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	if err := waitByMap(); err != nil {
		t.Error(err)
	}
}
