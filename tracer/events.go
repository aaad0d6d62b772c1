package tracer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf/ringbuf"

	"ply-exporter/bpfgen/object"
)

// An eventReader empties the ring buffer in a goroutine of its own. The zero
// value is for scripts without events.
type eventReader struct {
	ring *ringbuf.Reader
	done chan struct{} // closed when the goroutine has ended
	once sync.Once     // for the first exit

	// How far the ring buffer was read, and how far its events were handled, in
	// bytes since the start.
	read, handled atomic.Uint64
	largest       uint64 // record of an event
}

// position is where the events that are in the ring buffer now end, or further:
// what is read meanwhile may count twice, and one record may have left the ring
// buffer and not count as read yet.
func (e *eventReader) position() uint64 {
	if e.ring == nil {
		return 0
	}
	waiting := uint64(e.ring.AvailableBytes())
	return waiting + e.read.Load() + e.largest
}

// ringBytes is how many bytes of the ring buffer a record of a size takes.
func ringBytes(size int) uint64 {
	const header = 8
	return uint64(header+size+7) &^ 7
}

// startEvents begins to read events.
func (t *Tracer) startEvents() error {
	t.events = &eventReader{}
	for _, e := range t.obj.Events {
		t.events.largest = max(t.events.largest, ringBytes(e.Size))
	}
	if len(t.obj.Events) == 0 {
		return nil
	}
	ring, err := ringbuf.NewReader(t.coll.Maps[object.RingMap])
	if err != nil {
		return fmt.Errorf("ring buffer: %w", Diagnose(err))
	}
	t.events.ring, t.events.done = ring, make(chan struct{})
	go t.readEvents()
	if slices.ContainsFunc(t.obj.Events, func(e *object.Event) bool { return e.Kind == object.EventExit }) {
		go t.watchExit()
	}
	return nil
}

// watchExit sees exit() when the goroutine that reads events does not, because
// OnEvent has to wait for somebody.
func (t *Tracer) watchExit() {
	const often = 100 * time.Millisecond
	tick := time.NewTicker(often)
	defer tick.Stop()
	for {
		select {
		case <-t.events.done:
			return
		case <-tick.C:
			if t.lookForExit() {
				return
			}
		}
	}
}

// readEvents ends when the reader was flushed and is empty.
func (t *Tracer) readEvents() {
	defer close(t.events.done)
	var rec ringbuf.Record
	for {
		err := t.events.ring.ReadInto(&rec)
		if errors.Is(err, ringbuf.ErrFlushed) || errors.Is(err, ringbuf.ErrClosed) {
			t.lookForExit()
			return
		}
		if err != nil {
			t.opt.log().Error("events can no longer be read", "err", err)
			return
		}
		size := ringBytes(len(rec.RawSample))
		t.events.read.Add(size)
		t.handle(rec.RawSample)
		t.forgetHandled(t.events.handled.Add(size))
		t.lookForExit()
	}
}

// handle does what an event asks of the tracer, then passes it on.
func (t *Tracer) handle(record []byte) {
	e := t.obj.Events[binary.LittleEndian.Uint64(record)]
	if e.Kind == object.EventClear {
		t.watcher.hurry()
	}
	t.settleCgroups()
	if t.opt.OnEvent != nil {
		t.opt.OnEvent(e, record)
	}
}

// lookForExit makes the status of exit() known, once, and says whether it was
// called. It does not wait for the event of it, which may be far behind in the
// ring buffer, or refused by it.
func (t *Tracer) lookForExit() (ended bool) {
	status, ended := t.exitStatus()
	if ended {
		t.events.once.Do(func() { t.exited <- status })
	}
	return ended
}

// drain delivers what is in the ring buffer and ends the goroutine.
func (e *eventReader) drain() {
	if e == nil || e.ring == nil {
		return
	}
	if e.ring.Flush() == nil {
		<-e.done
	}
}

// interrupt ends the goroutine. What it has not read stays in the ring buffer.
func (e *eventReader) interrupt() {
	if e != nil && e.ring != nil {
		e.ring.Close()
		<-e.done
	}
}

func (e *eventReader) close() {
	if e != nil && e.ring != nil {
		e.ring.Close()
	}
}
