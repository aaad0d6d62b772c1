package tracer

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// A fakeWatch jumps when a test says so.
type fakeWatch struct{ jumps, closed chan struct{} }

func (w *fakeWatch) Wait() error {
	select {
	case <-w.jumps:
		return nil
	case <-w.closed:
		return errors.New("closed")
	}
}

func (w *fakeWatch) Close() error { close(w.closed); return nil }

// Cells are set when they are added and after each jump of the clock, and not
// touched once they are removed. One watcher serves all; it ends with the last.
func TestClockKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var offset atomic.Uint64
		var watches []*fakeWatch
		k := &clockKeeper{
			offset: func() (uint64, error) { return offset.Load(), nil },
			watch: func() (clockWatch, error) {
				watches = append(watches, &fakeWatch{make(chan struct{}), make(chan struct{})})
				return watches[len(watches)-1], nil
			},
		}
		var a, b uint64
		jump := func(to, wantA, wantB uint64) {
			t.Helper()
			offset.Store(to)
			select {
			case watches[len(watches)-1].jumps <- struct{}{}:
			case <-time.After(time.Second):
			}
			synctest.Wait()
			if a != wantA || b != wantB {
				t.Errorf("after a jump to %d the cells are %d and %d, want %d and %d", to, a, b, wantA, wantB)
			}
		}
		offset.Store(5)
		for _, cell := range []*uint64{&a, &b} {
			if err := k.add(cell); err != nil {
				t.Fatal(err)
			}
		}
		if a != 5 || b != 5 || len(watches) != 1 {
			t.Errorf("cells are %d and %d with %d watchers", a, b, len(watches))
		}
		jump(6, 6, 6)
		k.remove(&a)
		jump(7, 6, 7)
		k.remove(&b)
		jump(8, 6, 7) // nobody waits for it
		if err := k.add(&a); err != nil || len(watches) != 2 {
			t.Errorf("%d watchers, error %v", len(watches), err)
		}
		jump(9, 9, 7)
		k.remove(&a)
	})
}

// Closing ends the wait for the clock.
func TestClockTimerEnds(t *testing.T) {
	w, err := watchClock()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- w.Wait() }()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil {
		t.Error("the clock jumped")
	}
}

// walltime is right after the clock was set, also in a script that has been
// running since before.
func TestWalltimeAfterAStep(t *testing.T) {
	need.Guest(t) // it sets the clock
	tr := start(t, compile(t, `tracepoint:syscalls/sys_enter_getppid /pid == PID/ { $at[0] = walltime; }`), testOptions(t))
	for _, step := range []time.Duration{0, 1000 * time.Hour, -2000 * time.Hour, 1000 * time.Hour} {
		setClock(t, time.Now().Add(step))
		deadline := time.Now().Add(10 * time.Second)
		for {
			syscalls(unix.SYS_GETPPID, 1, 0)
			rows, err := tr.Rows(tr.obj.Maps[0])
			if err != nil || len(rows) != 1 {
				t.Fatalf("%v, error %v", rows, err)
			}
			at := time.Unix(0, int64(object.Word(rows[0].Value, 0)))
			if off := time.Since(at); off.Abs() < 5*time.Second {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("after a step of %v walltime is %v, the time is %v", step, at, time.Now())
			}
		}
	}
}

func setClock(t *testing.T, to time.Time) {
	t.Helper()
	tv := unix.NsecToTimeval(to.UnixNano())
	if err := unix.Settimeofday(&tv); err != nil {
		t.Fatal(err)
	}
}
