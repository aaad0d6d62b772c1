package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/internal/checked"
	"ply-exporter/internal/stress"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

// What the programs of all shipped configurations take under two loads: system calls
// that switch no tasks, and all that a busy machine does. They run in this process, so
// that it is known which program is of which script.

var loads = []struct {
	name  string
	under func(func() error) error
	most  float64 // ns for each system call
}{
	{"system calls alone", stress.Calls, 100},
	{"mixed load", stress.Mixed, 0},
}

var programRows = []row{{
	name:   "programs of all shipped configurations",
	values: programValues(),
	run:    lastShares.measure,
	parts:  lastShares.print,
}}

func programValues() (values []value) {
	for _, l := range loads {
		values = append(values,
			value{name: l.name + ", for each call", unit: "ns", alone: true},
			value{name: l.name + ", the same without readings of the clock", unit: "ns", most: l.most, alone: true})
	}
	return values
}

// A scriptShare is what one script takes of each system call of each load, in ns,
// without readings of the clock.
type scriptShare struct {
	script   string
	programs []*ebpf.Program
	before   runs
	perCall  []float64
}

// shares are those of all scripts in the last round.
type shares struct{ all []*scriptShare }

var lastShares shares

// measure observes all scripts under all loads.
func (s *shares) measure(path string) (values []float64, err error) {
	stop, err := s.start(filepath.Join(filepath.Dir(path), "configs"))
	defer stop()
	if err != nil {
		return nil, err
	}
	for _, l := range loads {
		o, err := s.observe(l.under)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		values = append(values, o.perEvent(), o.aboveClock())
	}
	return values, nil
}

// start starts the scripts one after the other. stop ends those that were started.
func (s *shares) start(folder string) (stop func(), err error) {
	s.all = nil
	var tracers []*tracer.Tracer
	stop = func() {
		for _, share := range s.all {
			closePrograms(share.programs)
		}
		for _, t := range tracers {
			_ = t.Close()
		}
	}
	k, err := kernel.Running()
	if err != nil {
		return stop, err
	}
	objects, err := shippedObjects(k, folder)
	if err != nil {
		return stop, err
	}
	for _, o := range objects {
		before, err := programIDs()
		if err != nil {
			return stop, err
		}
		t, err := tracer.Start(o.object, tracer.Options{Kernel: k})
		if err != nil {
			fmt.Fprintf(os.Stderr, "script %s is left out: %v\n", o.script, err)
			continue
		}
		tracers = append(tracers, t)
		programs, err := programsSince(before)
		s.all = append(s.all, &scriptShare{script: o.script, programs: programs})
		if err != nil {
			return stop, err
		}
	}
	return stop, nil
}

// observe is what all programs do under a load, and notes what each script does.
func (s *shares) observe(under func(func() error) error) (o observation, err error) {
	var all []*ebpf.Program
	for _, share := range s.all {
		all = append(all, share.programs...)
	}
	var did []runs
	err = under(func() error {
		o, err = observe("sys_enter", all, func() (err error) {
			did, err = s.during(3 * time.Second)
			return err
		})
		return err
	})
	if err != nil {
		return o, err
	}
	for i, share := range s.all {
		alone := observation{o.events, did[i]}
		share.perCall = append(share.perCall, alone.aboveClock())
	}
	return o, nil
}

// during is what each script does in some time.
func (s *shares) during(d time.Duration) (did []runs, err error) {
	for _, share := range s.all {
		if share.before, err = ran(share.programs); err != nil {
			return nil, err
		}
	}
	time.Sleep(d)
	for _, share := range s.all {
		after, err := ran(share.programs)
		if err != nil {
			return nil, err
		}
		did = append(did, after.minus(share.before))
	}
	return did, nil
}

// print lists the scripts that take more than a nanosecond, the dearest first.
func (s *shares) print(out io.Writer) {
	dearest := func(share *scriptShare) float64 { return slices.Max(share.perCall) }
	slices.SortFunc(s.all, func(a, b *scriptShare) int { return cmp.Compare(dearest(b), dearest(a)) })
	for _, share := range s.all {
		if dearest(share) < 1 {
			break
		}
		fmt.Fprintf(out, "  %s\t", share.script)
		for i, l := range loads {
			fmt.Fprintf(out, "%s %.1f ns\t", l.name, share.perCall[i])
		}
		fmt.Fprintln(out)
	}
}

// A scriptObject is a compiled script of the shipped configurations.
type scriptObject struct {
	script string
	object *object.Object
}

// shippedObjects compiles all scripts as the exporter does.
func shippedObjects(k *kernel.Kernel, folder string) (all []scriptObject, err error) {
	if err := writeShipped(folder); err != nil {
		return nil, err
	}
	cfg, err := config.Load([]string{folder})
	if err != nil {
		return nil, err
	}
	for _, s := range cfg.Scripts {
		o, err := checked.Object(exporter.NewBackend(k, slog.New(slog.DiscardHandler), false), s)
		switch {
		case errors.Is(err, plylang.ErrMissing):
		case err != nil:
			return nil, err
		default:
			all = append(all, scriptObject{s.Name, o})
		}
	}
	return all, nil
}
