package tracer

import (
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// waitExit returns the status of the script's exit().
func waitExit(t *testing.T, tr *Tracer) int {
	t.Helper()
	select {
	case status := <-tr.Exited():
		return status
	case <-time.After(20 * time.Second):
		t.Fatal("exit() did not arrive")
		return 0
	}
}

// cells returns the first word of every map without a key.
func cells(t *testing.T, tr *Tracer) []uint64 {
	t.Helper()
	var out []uint64
	for _, m := range tr.obj.Maps {
		out = append(out, counts(t, tr, m, 0)[0])
	}
	return out
}

// What happens after exit() nobody counts: not in the probe that called it,
// nor in another that stays attached until the end, nor by clauses that follow
// it at the same event.
func TestNothingAfterExit(t *testing.T) {
	need.EachKernel(t)
	tr := start(t, compile(t, `
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ { @a = count(); @n++; if (@n == 1000) exit(3); }
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ { @b = count(); }
		tracepoint:raw_syscalls/sys_exit /pid == PID && data->id == GETPPID/ { @c = count(); }
		END { @end = count(); }`), testOptions(t))
	syscalls(unix.SYS_GETPPID, 1000, 0)
	workload(t, 10_000)
	if status := waitExit(t, tr); status != 3 {
		t.Errorf("exit status %d, want 3", status)
	}
	if err := tr.Stop(); err != nil {
		t.Fatal(err)
	}
	if got, want := cells(t, tr), []uint64{1000, 1000, 999, 999, 1}; !equal(got, want) {
		t.Errorf("@a, @n, @b, @c, @end are %d, want %d", got, want)
	}
}

// When several threads reach the end together, each CPU may finish the event
// it is at.
func TestExitOfSeveralThreads(t *testing.T) {
	need.EachKernel(t)
	tr := start(t, compile(t, `tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ {
		@ = count(); @n++; if (@n >= 5000) exit(0);
	}`), testOptions(t))
	workload(t, 200_000)
	if err := tr.Stop(); err != nil {
		t.Fatal(err)
	}
	got, most := cells(t, tr), uint64(5000+ebpf.MustPossibleCPU()-1)
	if got[0] < 5000 || got[0] > most || got[0] != got[1] {
		t.Errorf("counted %d and %d, want the same, 5000 to %d", got[0], got[1], most)
	}
	if status := waitExit(t, tr); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
}

// The end of a run waits neither for room in the ring buffer nor for the
// reader to get through it.
func TestExitBesideAFullRing(t *testing.T) {
	need.EachKernel(t)
	obj := compile(t, `
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID && data->args[0] == 1/ { print(str(0, 500)); }
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID && data->args[0] == 2/ { printf("x"); }
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID && data->args[0] == 3/ { exit(7); }`)
	opt, release, read := testOptions(t), make(chan struct{}), make(chan bool, 1<<16)
	opt.OnEvent = func(e *object.Event, _ []byte) {
		<-release
		read <- e.Kind == object.EventExit
	}
	tr, err := Start(obj, opt)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	syscalls(unix.SYS_GETPPID, 4000, 1)
	syscalls(unix.SYS_GETPPID, 100, 2) // the last crevices
	syscalls(unix.SYS_GETPPID, 1, 3)
	lost := tr.LostEvents()
	if status := waitExit(t, tr); status != 7 {
		t.Errorf("exit status %d, want 7", status)
	}
	close(release)
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
	if n := uint64(len(read)); n+lost != 4100 {
		t.Errorf("%d events were read and %d lost of 4100", n, lost)
	}
	for len(read) > 0 {
		if <-read {
			t.Error("the ring was not full")
		}
	}
}
