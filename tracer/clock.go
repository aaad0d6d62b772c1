package tracer

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// The time of day in programs
//
// BPF programs read the monotonic clock, and walltime adds to it what the time
// of day is ahead: a number in ClockMap, which is set when the script starts.
// Both clocks run at the same rate. The number changes only when somebody sets
// the time of day, and while the machine is suspended, when the monotonic clock
// stands still. The kernel reports both by canceling a timer that asked for it,
// so one goroutine waits for that on behalf of all scripts.

// A clockKeeper keeps the numbers of all scripts right that use walltime.
type clockKeeper struct {
	offset func() (uint64, error) // of the time of day from the monotonic clock
	watch  func() (clockWatch, error)

	lock    sync.Mutex
	cells   map[*uint64]struct{} // memory shared with the kernel
	watcher clockWatch           // nil while there are no cells
}

// A clockWatch waits until the time of day jumps.
type clockWatch interface {
	Wait() error // nil after a jump
	Close() error
}

// clocks is the keeper of this process.
var clocks = &clockKeeper{offset: wallOffset, watch: watchClock}

// add sets a cell and keeps it right until it is removed.
func (k *clockKeeper) add(cell *uint64) error {
	k.lock.Lock()
	defer k.lock.Unlock()
	if k.watcher == nil {
		w, err := k.watch()
		if err != nil {
			return err
		}
		k.watcher, k.cells = w, map[*uint64]struct{}{}
		go k.run(w)
	}
	k.cells[cell] = struct{}{}
	return k.set()
}

// remove leaves a cell alone: its memory is going away. It may be called for
// one that was not added.
func (k *clockKeeper) remove(cell *uint64) {
	k.lock.Lock()
	defer k.lock.Unlock()
	delete(k.cells, cell)
	if len(k.cells) == 0 && k.watcher != nil {
		_ = k.watcher.Close()
		k.watcher = nil
	}
}

// run sets all cells after each jump, until the watcher is closed.
func (k *clockKeeper) run(w clockWatch) {
	for w.Wait() == nil {
		k.lock.Lock()
		_ = k.set() // it worked when the script started
		k.lock.Unlock()
	}
}

func (k *clockKeeper) set() error {
	offset, err := k.offset()
	if err != nil {
		return err
	}
	for cell := range k.cells {
		atomic.StoreUint64(cell, offset)
	}
	return nil
}

// wallOffset is how many nanoseconds the time of day is ahead of the monotonic
// clock.
func wallOffset() (uint64, error) {
	var monotonic unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic); err != nil {
		return 0, fmt.Errorf("read the monotonic clock: %w", err)
	}
	return uint64(time.Now().UnixNano() - monotonic.Nano()), nil
}

// A clockTimer is a timer that never expires, and that the kernel cancels when
// the time of day jumps.
type clockTimer struct{ file *os.File }

func watchClock() (clockWatch, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("watch the clock: %w", err)
	}
	never := &unix.ItimerSpec{Value: unix.Timespec{Sec: math.MaxInt64}}
	if err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, never, nil); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("watch the clock: %w", err)
	}
	return &clockTimer{os.NewFile(uintptr(fd), "timerfd")}, nil // which waits without a thread
}

// Wait waits for a jump. The timer stays armed.
func (t *clockTimer) Wait() error {
	_, err := t.file.Read(make([]byte, 8))
	if errors.Is(err, unix.ECANCELED) {
		return nil
	}
	return err
}

func (t *clockTimer) Close() error { return t.file.Close() }

// startClock sets what walltime adds, if the script uses it.
func (t *Tracer) startClock() error {
	m := t.coll.Maps[object.ClockMap]
	if m == nil {
		return nil
	}
	var err error
	if t.clock, err = mapWords(m); err != nil {
		return fmt.Errorf("map %s: %w", object.ClockMap, err)
	}
	return clocks.add(&t.clock[0])
}

func (t *Tracer) stopClock() {
	if len(t.clock) > 0 {
		clocks.remove(&t.clock[0])
		t.clock.close()
	}
}
