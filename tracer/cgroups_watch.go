package tracer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"

	"ply-exporter/bpfgen/object"
)

// Words of the map that the programs of a watch count in.
const (
	cgroupsTold = iota
	cgroupsLost
	cgroupWords
)

// Names of a watch's maps.
const (
	cgroupRing    = "ply_groups"
	cgroupState   = "ply_groupstate"
	cgroupScratch = "ply_grouppath"
)

// cgroupRingSize has room for a thousand groups that are made at once.
const cgroupRingSize = 1 << 18

// A cgroupWatch is told of groups by the kernel.
type cgroupWatch struct {
	coll   *ebpf.Collection
	links  []io.Closer
	state  words
	ring   *ringbuf.Reader
	tell   func(cgroupEvent)
	missed func() // called when groups were not told of
	log    *slog.Logger
	done   chan struct{}

	handled atomic.Uint64 // events
	looking atomic.Bool   // that missed will be called soon
}

func openCgroupWatch(layout *cgroupLayout, opt Options, tell func(cgroupEvent), missed func()) (_ *cgroupWatch, err error) {
	w := &cgroupWatch{tell: tell, missed: missed, log: opt.log(), done: make(chan struct{})}
	defer func() {
		if err != nil {
			w.release()
		}
	}()
	if w.coll, err = ebpf.NewCollection(watchSpec(layout)); err != nil {
		return nil, fmt.Errorf("watch cgroups: %w", err)
	}
	if w.state, err = mapWords(w.coll.Maps[cgroupState]); err != nil {
		return nil, err
	}
	if w.ring, err = ringbuf.NewReader(w.coll.Maps[cgroupRing]); err != nil {
		return nil, err
	}
	for _, event := range []string{cgroupMade, cgroupRemoved} {
		l, err := attachRawTracepoint(w.coll.Programs[event], object.RawTracepoint{Event: event}, 0)
		if err != nil {
			return nil, fmt.Errorf("watch cgroups: %w", err)
		}
		w.links = append(w.links, l)
	}
	go w.run()
	return w, nil
}

// run tells of what is in the ring buffer, until the reader was flushed and is empty.
func (w *cgroupWatch) run() {
	defer close(w.done)
	var rec ringbuf.Record
	lost := uint64(0)
	for {
		err := w.ring.ReadInto(&rec)
		if errors.Is(err, ringbuf.ErrFlushed) || errors.Is(err, ringbuf.ErrClosed) {
			return
		}
		if err != nil {
			w.log.Error("cgroups that come and go can no longer be told", "err", err)
			return
		}
		if e := parseCgroupEvent(rec.RawSample); e.whole() {
			w.tell(e)
		} else {
			w.lookLater()
		}
		w.handled.Add(1)
		if now := w.state.load(cgroupsLost); now != lost {
			w.log.Warn("cgroups were made or removed faster than they can be read: some may have no name", "cgroups", now-lost)
			w.lookLater()
			lost = now
		}
	}
}

// lookDelay is how long after it was told of the folder of a group is looked for,
// which cannot be seen before.
const lookDelay = time.Second

// lookLater lets groups be looked for that were not told of, or not by their path.
func (w *cgroupWatch) lookLater() {
	if w.looking.CompareAndSwap(false, true) {
		time.AfterFunc(lookDelay, func() {
			w.looking.Store(false)
			w.missed()
		})
	}
}

// whole says whether the path that a group is told by can be all of it: the kernel
// cuts longer ones. Who is told of a removal needs none.
func (e cgroupEvent) whole() bool { return e.removed || len(e.path) < maxGroupPath-1 }

// parseCgroupEvent reads a record: the group's key, whether it was removed, and the
// path with a NUL.
func parseCgroupEvent(record []byte) cgroupEvent {
	path, _, _ := bytes.Cut(record[cgroupPathAt:], []byte{0})
	return cgroupEvent{
		key:     binary.LittleEndian.Uint64(record),
		removed: record[cgroupKindAt] != 0,
		path:    string(path),
	}
}

// settleTime is how long settle waits at most.
const settleTime = 100 * time.Millisecond

// settle waits until the events have been told that the programs have counted.
func (w *cgroupWatch) settle() {
	want := w.state.load(cgroupsTold)
	for end := time.Now().Add(settleTime); w.handled.Load() < want && time.Now().Before(end); {
		time.Sleep(50 * time.Microsecond)
	}
}

func (w *cgroupWatch) close() {
	for _, l := range w.links {
		_ = l.Close()
	}
	w.links = nil
	if w.ring.Flush() == nil {
		<-w.done
	}
	w.release()
}

func (w *cgroupWatch) release() {
	for _, l := range w.links {
		_ = l.Close()
	}
	if w.ring != nil {
		_ = w.ring.Close()
	}
	w.state.close()
	freeAll(w.coll)
}
