package tracer

import (
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Control groups that come and go
//
// Two things depend on it: the names of groups that are gone before anybody has
// asked for them, and the sets of groups that match a pattern. Both follow two
// tracepoints, cgroup_mkdir and cgroup_rmdir, whose programs get each group with
// its whole path, whatever is mounted where this process runs. A group is told of
// before its folder can be seen, so that no process can be in it before.
//
// The kernel holds a lock while it tells, so that these programs never run at the
// same time, nor in each other. What they have to say goes through a ring buffer to
// one goroutine, which serves all scripts of this process.
//
// A kernel without types does not say where the ID is. There the groups are
// compared with those of a second ago.

// A cgroupEvent says that a group was made or removed.
type cgroupEvent struct {
	key     uint64 // see object.CgroupKey
	path    string
	removed bool
}

// A cgroupSource calls a function with what becomes of groups, from one goroutine,
// until it is closed.
type cgroupSource interface {
	// settle waits until all has been told that has happened before.
	settle()
	close()
}

// A cgroupKeeper tells the scripts of this process of groups.
type cgroupKeeper struct {
	mu      sync.Mutex
	source  cgroupSource // nil while nobody listens
	tracers map[*Tracer]bool
	partial map[uint32]bool // hierarchies of which only our own part is seen
}

var cgroups = &cgroupKeeper{tracers: map[*Tracer]bool{}}

// add lets a tracer listen from now on.
func (c *cgroupKeeper) add(t *Tracer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.source == nil {
		c.partial = map[uint32]bool{}
		hierarchies := t.opt.Kernel.Hierarchies()
		for _, h := range hierarchies {
			c.partial[h.Number] = !h.Whole
		}
		warnOfPart(t.opt.log(), hierarchies)
		source, err := openCgroupSource(t.opt, c.tell, c.compare)
		if err != nil {
			return err
		}
		c.source = source
	}
	c.tracers[t] = true
	return nil
}

// warnOfPart says that cgroups have no names because their folders cannot be seen. Those
// of version 2 have them from their beginning on where it is mounted nowhere.
func warnOfPart(log *slog.Logger, hierarchies []*kernel.Hierarchy) {
	for _, h := range hierarchies {
		if !h.Whole {
			log.Warn("most cgroups have no names, because only those of this container can be seen: mount the machine's /sys/fs/cgroup anywhere in it", "hierarchy", h.Number)
			return
		}
	}
}

// remove may be called for a tracer that was not added.
func (c *cgroupKeeper) remove(t *Tracer) {
	c.mu.Lock()
	delete(c.tracers, t)
	source := c.source
	if len(c.tracers) > 0 || source == nil {
		c.mu.Unlock()
		return
	}
	c.source = nil
	c.mu.Unlock() // the source may be telling
	source.close()
}

func (c *cgroupKeeper) settle() {
	c.mu.Lock()
	source := c.source
	c.mu.Unlock()
	if source != nil {
		source.settle()
	}
}

// tell passes an event on. Where only our own part of a hierarchy is seen, paths
// begin there, and the path from the root of all would be another group's.
func (c *cgroupKeeper) tell(e cgroupEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, hierarchy := object.SplitCgroup(e.key)
	for t := range c.tracers {
		if listener := t.opt.Cgroups; listener != nil {
			e.tell(listener, c.partial[hierarchy])
		}
		for _, s := range t.sets {
			s.tell(e)
		}
	}
}

// tell passes the event to a listener: of a path only where it is the whole one.
func (e cgroupEvent) tell(listener CgroupListener, partial bool) {
	switch {
	case e.removed:
		listener.CgroupRemoved(e.key)
	case !partial:
		listener.CgroupMade(e.key, e.path)
	}
}

// compare lets all sets look by themselves, and all listeners.
func (c *cgroupKeeper) compare() {
	c.mu.Lock()
	defer c.mu.Unlock()
	told := map[CgroupListener]bool{}
	for t := range c.tracers {
		if listener := t.opt.Cgroups; listener != nil && !told[listener] {
			told[listener] = true
			listener.CgroupsMissed()
		}
		for _, s := range t.sets {
			s.compare()
		}
	}
}

// openCgroupSource finds the best source that this kernel has.
func openCgroupSource(opt Options, tell func(cgroupEvent), missed func()) (cgroupSource, error) {
	layout, err := cgroupLayoutOf(opt.Kernel)
	if err == nil {
		var watch *cgroupWatch
		if watch, err = openCgroupWatch(layout, opt, tell, missed); err == nil {
			return watch, nil
		}
	}
	if lacksFiles(err) {
		return nil, Diagnose(err)
	}
	opt.log().Warn("cgroups are looked for once a second, because this kernel does not tell of them: one that does not live so long may have no name", "err", err)
	return pollCgroups(opt.Kernel, tell), nil
}

// startCgroups makes the tracer know groups from now on, if its script shows any,
// and fills its sets.
func (t *Tracer) startCgroups() error {
	t.showsCgroups = showsCgroups(t.obj)
	if t.opt.Kernel == nil || !t.showsCgroups && len(t.obj.Cgroups) == 0 {
		return nil
	}
	for i, set := range t.obj.Cgroups {
		var follower io.Closer
		if t.adopted {
			follower = t.pinnedSets[i]
		}
		s, err := openCgroupSet(set, t.coll.Maps[set.Map], follower, t.opt)
		if err != nil {
			return fmt.Errorf("cgroups of %q: %w", set.Text, Diagnose(err))
		}
		t.sets = append(t.sets, s)
	}
	if err := cgroups.add(t); err != nil {
		return err
	}
	for _, s := range t.sets {
		if t.adopted {
			s.compare() // groups have gone while nobody looked
		} else {
			s.fill()
		}
	}
	return nil
}

func (t *Tracer) stopCgroups() {
	cgroups.remove(t)
	for _, s := range t.sets {
		s.close()
	}
}

// settleCgroups waits for the names of the groups that values may have.
func (t *Tracer) settleCgroups() {
	if t.showsCgroups {
		cgroups.settle()
	}
}

// showsCgroups says whether a value of the script is shown as a group.
func showsCgroups(o *object.Object) bool {
	shows := func(t *plylang.Type) bool { return t != nil && t.Display == plylang.DisplayCgroup }
	any := func(parts []object.KeyPart) bool {
		for _, p := range parts {
			if shows(p.Type) {
				return true
			}
		}
		return false
	}
	for _, m := range o.Maps {
		if shows(m.Value) || any(m.Key) {
			return true
		}
	}
	for _, e := range o.Events {
		if any(e.Args) {
			return true
		}
	}
	return false
}

// A cgroupPoll finds out by itself what has become of groups.
type cgroupPoll struct {
	kernel *kernel.Kernel
	tell   func(cgroupEvent)
	known  map[uint64]string
	stop   chan struct{}
	done   chan struct{}
}

func pollCgroups(k *kernel.Kernel, tell func(cgroupEvent)) *cgroupPoll {
	p := &cgroupPoll{kernel: k, tell: tell, known: map[uint64]string{}, stop: make(chan struct{}), done: make(chan struct{})}
	go p.run()
	return p
}

func (p *cgroupPoll) run() {
	defer close(p.done)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		p.look()
		select {
		case <-tick.C:
		case <-p.stop:
			return
		}
	}
}

// look tells of the difference to what was there when it looked last.
func (p *cgroupPoll) look() {
	now := allCgroups(p.kernel)
	for key, path := range now {
		if _, ok := p.known[key]; !ok {
			p.tell(cgroupEvent{key: key, path: path})
		}
	}
	for key, path := range p.known {
		if _, ok := now[key]; !ok {
			p.tell(cgroupEvent{key: key, path: path, removed: true})
		}
	}
	p.known = now
}

func (p *cgroupPoll) settle() {}

func (p *cgroupPoll) close() {
	close(p.stop)
	<-p.done
}

// allCgroups are the paths of all groups that can be seen.
func allCgroups(k *kernel.Kernel) map[uint64]string {
	all := map[uint64]string{}
	for _, h := range k.Hierarchies() {
		k.Cgroups(h, func(g kernel.Cgroup) bool {
			all[object.CgroupKey(g.ID, h.Number)] = g.Path
			return true
		})
	}
	return all
}

// freeAll closes programs and maps, of which some may be nil.
func freeAll(c *ebpf.Collection) {
	if c == nil {
		return
	}
	for _, p := range c.Programs {
		freeProgram(p)
	}
	for _, m := range c.Maps {
		m.Close()
	}
}
