package tracer

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// CPUs that come and go
//
// A timer or counter is an event on each CPU, which the kernel ends when its CPU goes
// offline, and does not begin again when that comes back. What tells is the time for which
// the event was enabled: it no longer goes on, although the CPU may be online again
// already.

// cpuEvents are the events of a timer or counter, by CPU.
type cpuEvents struct {
	event   object.PerfEvent
	use     func(fd) (io.Closer, error)
	on      map[int]*cpuEvent
	refused map[int]bool // by CPUs that are online
}

// A cpuEvent is the event on one CPU, and what holds it.
type cpuEvent struct {
	io.Closer
	fd      fd
	enabled uint64 // for how long it was, when that was asked last
}

// onEachCPU opens the event on each of its CPUs and uses it there. What use
// returns owns the event.
func onEachCPU(e object.PerfEvent, use func(fd) (io.Closer, error)) (io.Closer, error) {
	all := &cpuEvents{event: e, use: use, on: map[int]*cpuEvent{}, refused: map[int]bool{}}
	for _, cpu := range e.CPUs {
		if err := all.open(cpu); err != nil {
			all.Close()
			return nil, fmt.Errorf("cpu %d: %w", cpu, err)
		}
	}
	return all, nil
}

// open opens the event on a CPU.
func (c *cpuEvents) open(cpu int) error {
	e := c.event
	attr := unix.PerfEventAttr{Type: e.Type, Config: e.Config, Sample: e.Period}
	attr.Bp_type, attr.Ext1, attr.Ext2 = e.Access, e.Address, e.Length
	if e.Period == 0 {
		attr.Sample, attr.Bits = e.Freq, unix.PerfBitFreq
	}
	event, err := openPerfEvent(&attr, cpu)
	if err != nil {
		return err
	}
	owner, err := c.use(event)
	if err != nil {
		return err
	}
	c.on[cpu] = &cpuEvent{Closer: owner, fd: event}
	c.on[cpu].goesOn() // from now on
	return nil
}

// parts are the events in the order of their CPUs.
func (c *cpuEvents) parts() (all closers) {
	for _, cpu := range slices.Sorted(maps.Keys(c.on)) {
		all = append(all, c.on[cpu].Closer)
	}
	return all
}

// Close closes all events.
func (c *cpuEvents) Close() error { return c.parts().Close() }

// goesOn says whether the kernel has not ended the event since it was asked last.
func (e *cpuEvent) goesOn() bool {
	var answer [16]byte // a count, and the time in nanoseconds
	if n, err := unix.Read(int(e.fd), answer[:]); err != nil || n < len(answer) {
		return false
	}
	before := e.enabled
	e.enabled = binary.NativeEndian.Uint64(answer[8:])
	return e.enabled > before
}

// follow closes the events that the kernel has ended, and opens events on CPUs that have
// come online. An event that is to be on one CPU moves to another.
func (c *cpuEvents) follow(online []int, tell func(cpu int, err error)) {
	for cpu, e := range c.on {
		if !e.goesOn() {
			_ = e.Close() // it is no event any more
			delete(c.on, cpu)
		}
	}
	maps.DeleteFunc(c.refused, func(cpu int, _ bool) bool { return !slices.Contains(online, cpu) })
	for _, cpu := range online {
		if c.on[cpu] != nil || c.refused[cpu] || !c.belongsOn(cpu) {
			continue
		}
		err := c.open(cpu)
		c.refused[cpu] = err != nil
		tell(cpu, err)
	}
}

// belongsOn says whether the event is to be on a CPU that is online, too.
func (c *cpuEvents) belongsOn(cpu int) bool {
	switch {
	case c.event.Anywhere:
		return len(c.on) == 0
	case c.event.Only:
		return slices.Contains(c.event.CPUs, cpu)
	}
	return true
}

// FollowCPUs lets timers and counters begin again on CPUs that were offline. It is to be
// called from time to time.
func (t *Tracer) FollowCPUs() error {
	t.life.RLock()
	defer t.life.RUnlock()
	if t.closed || !slices.ContainsFunc(t.programs, func(p *program) bool { return p.Attach == object.AttachPerfEvent }) {
		return nil
	}
	online, err := t.opt.Kernel.OnlineCPUs()
	if err != nil {
		return err
	}
	for _, p := range t.programs {
		p.followCPUs(online, func(cpu int, err error) {
			if err != nil {
				t.opt.log().Warn("probe not attached to a CPU that came online", "probe", p.specNames(), "cpu", cpu, "err", err)
				return
			}
			t.opt.log().Info("probe attached to a CPU that came online", "probe", p.specNames(), "cpu", cpu)
		})
	}
	return nil
}

func (p *program) followCPUs(online []int, tell func(cpu int, err error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.links {
		if events, ok := l.(*cpuEvents); ok {
			events.follow(online, tell)
		}
	}
}
