package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// What the kernel says of the programs of another process
//
// While somebody asks for it, the kernel reads the clock before and after each run
// of a program and adds up the differences (BPF_ENABLE_STATS, Linux 5.8). A run thus
// takes at least as long as a reading of the clock; a program of two instructions
// at the same time tells how long that is.

// runs are what programs did in some time.
type runs struct {
	count uint64
	time  time.Duration
}

func (r runs) minus(before runs) runs { return runs{r.count - before.count, r.time - before.time} }

// programIDs are all programs of this machine.
func programIDs() (map[ebpf.ProgramID]bool, error) {
	all := map[ebpf.ProgramID]bool{}
	for id := ebpf.ProgramID(0); ; {
		next, err := ebpf.ProgramGetNextID(id)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return all, nil
		case err != nil:
			return nil, err
		}
		all[next], id = true, next
	}
}

// programsSince opens the programs that are there now and were not.
func programsSince(before map[ebpf.ProgramID]bool) (added []*ebpf.Program, err error) {
	ids, err := programIDs()
	if err != nil {
		return nil, err
	}
	for id := range ids {
		if before[id] {
			continue
		}
		p, err := ebpf.NewProgramFromID(id)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return added, err
		default:
			added = append(added, p)
		}
	}
	return added, nil
}

// ran adds up what programs did so far.
func ran(programs []*ebpf.Program) (sum runs, err error) {
	for _, p := range programs {
		s, err := p.Stats()
		if err != nil {
			return sum, err
		}
		sum.count += s.RunCount
		sum.time += s.Runtime
	}
	return sum, nil
}

// A witness is an empty program at a raw tracepoint. Its runs are the events.
type witness struct {
	*ebpf.Program
	at link.Link
}

func attachWitness(event string) (*witness, error) {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.RawTracepoint, Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return nil, err
	}
	at, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: event, Program: p})
	if err != nil {
		p.Close()
		return nil, err
	}
	return &witness{p, at}, nil
}

func (w *witness) Close() {
	_ = w.at.Close()
	_ = w.Program.Close()
}

// An observation is what the programs of a tool did while events happened.
type observation struct{ events, programs runs }

// perEvent is the ns that the programs took for each event.
func (o observation) perEvent() float64 { return float64(o.programs.time) / float64(o.events.count) }

// aboveClock is the same without the readings of the clock.
func (o observation) aboveClock() float64 {
	clock := float64(o.events.time) / float64(o.events.count)
	return (float64(o.programs.time) - clock*float64(o.programs.count)) / float64(o.events.count)
}

// observe watches programs until during returns.
func observe(event string, programs []*ebpf.Program, during func() error) (o observation, err error) {
	w, err := attachWitness(event)
	if err != nil {
		return o, err
	}
	defer w.Close()
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		return o, err
	}
	defer stats.Close()
	before, err := both(w, programs)
	if err != nil {
		return o, err
	}
	if err := during(); err != nil {
		return o, err
	}
	after, err := both(w, programs)
	o.events, o.programs = after.events.minus(before.events), after.programs.minus(before.programs)
	if err == nil && (o.events.count == 0 || o.programs.count == 0) {
		err = fmt.Errorf("%d programs ran %d times at %d events of %s", len(programs), o.programs.count, o.events.count, event)
	}
	return o, err
}

func both(w *witness, programs []*ebpf.Program) (o observation, err error) {
	if o.events, err = ran([]*ebpf.Program{w.Program}); err != nil {
		return o, err
	}
	o.programs, err = ran(programs)
	return o, err
}

func closePrograms(all []*ebpf.Program) {
	for _, p := range all {
		_ = p.Close()
	}
}
