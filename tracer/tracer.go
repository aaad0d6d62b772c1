// Package tracer loads compiled scripts into the kernel, attaches them, reads
// what they gather and takes them out again. It is the only package that
// changes the kernel.
//
// Maps are read without bpf(2) where the kernel allows it, because a bpf(2)
// map operation makes its CPU skip perf-attached programs while it lasts:
// hashes by programs (elements.go), single cells through shared memory
// (state.go).
package tracer

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
)

// Options say how to run a script.
type Options struct {
	Kernel *kernel.Kernel
	Log    *slog.Logger // nil: slog.Default()

	// OnEvent is called for each record of the ring buffer, in order, from one
	// goroutine. The record is valid during the call. It may read maps, and
	// must not call Stop or Close. The tracer itself carries out clear() and
	// exit(). With nil, output is thrown away.
	OnEvent func(e *object.Event, record []byte)

	// Cgroups is told of control groups while a script runs that shows some. It must
	// not call methods of the tracer. It may be nil.
	Cgroups CgroupListener

	// Pins keep scripts over the end of this process: those that the process before
	// has left are taken over, if PinAs, by the index of the object, names them and
	// they have not changed. They may be nil.
	Pins  *Pins
	PinAs []PinName
}

// A CgroupListener is told what becomes of control groups, by the values that programs
// have of them; see object.CgroupKey.
type CgroupListener interface {
	CgroupMade(key uint64, path string)
	CgroupRemoved(key uint64)

	// CgroupsMissed says that some were made or removed of which it was not told.
	CgroupsMissed()
}

func (o Options) log() *slog.Logger {
	if o.Log == nil {
		return slog.Default()
	}
	return o.Log
}

// A Tracer is a script that runs in the kernel. Its methods may be called
// from several goroutines.
type Tracer struct {
	obj      *object.Object
	opt      Options
	coll     *ebpf.Collection
	programs []*program
	maps     []*mapReader // by Map.ID
	state    words
	clock    words // of ClockMap, if the script has it
	overflow words // of OverflowMap, if the script has it
	events   *eventReader

	clearings []*clearing // by Map.ID; nil for maps that no clear() names
	clears    words       // of ClearMap, if the script has it
	watcher   *watcher    // of the clearings, if there are any

	expirings []*expiring // by Expiry.ID
	expiries  words       // of ExpireMap, if the script has it
	expirer   *expirer    // of the expirings, if there are any

	sets         []*cgroupSet // of obj.Cgroups
	showsCgroups bool

	exited  chan int
	created time.Time
	began   bool         // all is attached, so that END has a meaning
	stop    func() error // Stop's work, done once

	countsMisses bool

	more    atomic.Pointer[[]string] // names of probes, behind those of the object
	watched map[object.FileID]bool   // programs and libraries, for writes

	folder     string // of its pins, if it has any
	record     *pinRecord
	adopted    bool      // from the process before
	soughtOld  bool      // files of which that knew more
	handedOver sync.Once // see useHandover
	leaving    bool      // to the next one
	notesIn    *ebpf.Map // what is kept of it with the pins; nil where nothing is pinned
	notes      words
	pinnedSets []io.Closer // by index of obj.Cgroups, of a script that was taken over

	life   sync.RWMutex // held for writing while memory and maps go away
	closed bool
}

// errClosed is what remains to be said after Close.
var errClosed = fmt.Errorf("tracer: %w", os.ErrClosed)

// Start loads a script, runs its BEGIN clauses and attaches the others:
//
//	obj, err := bpfgen.Build(src, k, bpfgen.Options{}, nil)
//	…
//	t, err := tracer.Start(obj, tracer.Options{Kernel: k})
//	…
//	defer t.Close()
//	rows, err := t.Rows(obj.Maps[0])
//
// It needs Linux 5.10 or later, and the kernel that the object was compiled
// for. A script that fails leaves nothing behind. The error is a plylang.Error
// or plylang.ErrorList where it belongs to a position in the script.
func Start(obj *object.Object, opt Options) (*Tracer, error) {
	tracers, errs := StartAll([]*object.Object{obj}, opt)
	return tracers[0], errs[0]
}

// StartAll starts several scripts, which is cheaper than one after the other:
// the kernel's types are read once. Results and errors are by the index of
// the object; one script's failure does not touch the others.
func StartAll(objs []*object.Object, opt Options) ([]*Tracer, []error) {
	tracers := make([]*Tracer, len(objs))
	errs := make([]error, len(objs))
	l := newLoader(opt)
	l.makeRoom(objs, opt.Pins)
	if opt.Pins != nil {
		Parallel(len(objs), l.atOnce, func(i int) { tracers[i] = l.adopt(objs[i], opt.PinAs[i], opt) })
	}
	opt.Pins.removeLeft() // before anything is claimed anew: what goes must contradict until it is gone
	Parallel(len(objs), l.atOnce, func(i int) {
		if tracers[i] == nil {
			tracers[i], errs[i] = l.load(objs[i], opt)
		} else {
			tracers[i].Claim(opt.PinAs[i].Claims)
		}
	})
	l.openReaders(tracers, errs, opt.log())
	for i, t := range tracers {
		if t == nil {
			continue
		}
		for _, p := range t.programs {
			t.watchWrites(p.Points)
		}
		begin := t.begin
		if t.adopted {
			begin = t.goOn
		}
		if errs[i] = begin(); errs[i] != nil {
			t.Close()
			tracers[i] = nil
			continue
		}
		if opt.Pins != nil {
			t.pinAll(opt.Pins, opt.PinAs[i])
		}
	}
	return tracers, errs
}

// Verify loads a script, so that the kernel's verifier sees it, opens the timers,
// counters and kprobes that it needs, and runs none of its programs.
func Verify(obj *object.Object, opt Options) error {
	t, err := newLoader(opt).load(obj, opt)
	if err != nil {
		return err
	}
	if err := t.tryEvents(); err != nil {
		t.Close()
		return err
	}
	return t.Close()
}

// newTracer is a tracer of which nothing is open yet.
func newTracer(obj *object.Object, opt Options, coll *ebpf.Collection) *Tracer {
	t := &Tracer{obj: obj, opt: opt, coll: coll, exited: make(chan int, 1)}
	t.stop = sync.OnceValue(t.stopOnce)
	for _, p := range obj.Programs {
		t.programs = append(t.programs, &program{Program: p, kernel: coll.Programs[p.Name]})
	}
	return t
}

// begin sets a loaded script going.
func (t *Tracer) begin() error {
	t.created = time.Now()
	t.StartAt(t.created)
	if err := t.startClock(); err != nil {
		return err
	}
	if err := t.startEvents(); err != nil {
		return err
	}
	t.watchClears()
	t.watchExpiry()
	if err := t.startCgroups(); err != nil {
		return err
	}
	if err := t.run(object.AttachBegin); err != nil {
		return err
	}
	if !t.lookForExit() {
		t.hold()
		if err := t.attach(); err != nil {
			return err
		}
		t.letGo()
	}
	t.began = true
	return nil
}

// run runs the programs of kind, which the kernel never runs by itself.
func (t *Tracer) run(kind object.AttachKind) error {
	for _, p := range t.programs {
		if p.Attach != kind {
			continue
		}
		if _, err := p.kernel.Run(&ebpf.RunOptions{}); err != nil {
			return t.fail(p, fmt.Errorf("run %s: %w", kind, Diagnose(err)))
		}
		p.mu.Lock()
		p.ran = true
		p.mu.Unlock()
	}
	return nil
}

// Created returns when the script started, and its counters with it; of one that was taken
// over, when the process before said that they did.
func (t *Tracer) Created() time.Time { return t.created }

// Exited gives the status of exit(), once.
func (t *Tracer) Exited() <-chan int { return t.exited }

// Stop ends all counting at one instant, runs the END clauses and delivers all
// events that are still under way. The maps stay readable. A script that is
// Stoppable stays attached until Close, because detaching takes long; others are
// detached here.
func (t *Tracer) Stop() error { return t.stop() }

func (t *Tracer) stopOnce() error {
	if t.leaving {
		t.events.interrupt()
		t.watcher.end()
		t.expirer.end()
		return nil
	}
	errs := []error{t.unpin()}
	if !t.halt() {
		errs = append(errs, t.detach())
	}
	if t.began {
		errs = append(errs, t.run(object.AttachEnd))
	}
	t.events.drain()
	t.watcher.end()
	t.expirer.end()
	return errors.Join(errs...)
}

// Close stops the script, detaches it and frees what it has in the kernel. Its
// error includes that of Stop.
func (t *Tracer) Close() error {
	err := errors.Join(t.Stop(), t.detach())
	t.life.Lock()
	defer t.life.Unlock()
	if t.closed {
		return err
	}
	t.closed = true
	writes.remove(t)
	held.removeAll(t)
	t.events.close()
	for _, m := range t.maps {
		m.close()
	}
	for _, c := range t.clearings {
		c.close()
	}
	for _, x := range t.expirings {
		x.close()
	}
	t.clears.close()
	t.expiries.close()
	t.state.close()
	t.overflow.close()
	t.stopClock()
	t.stopCgroups()
	if len(t.sets) < len(t.pinnedSets) { // it did not come so far
		_ = leave(closers(t.pinnedSets[len(t.sets):]))
	}
	for _, p := range t.programs {
		freeProgram(p.kernel)
	}
	for _, m := range t.coll.Maps {
		m.Close()
	}
	if t.notesIn != nil {
		t.notes.close()
		t.notesIn.Close()
	}
	return err
}
