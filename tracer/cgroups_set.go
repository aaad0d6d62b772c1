package tracer

import (
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
)

// keepRemoved is how long a removed group stays in a set: what its last processes
// still do, and what is charged to it, counts.
const keepRemoved = 10 * time.Second

// A cgroupSet is a set of groups of a running script. A program puts in what matches
// when it is made; user space does the rest.
type cgroupSet struct {
	*object.CgroupSet
	kernel *kernel.Kernel
	groups *ebpf.Map
	coll   *ebpf.Collection // the program and its table; nil where the kernel has none
	link   io.Closer
	log    *slog.Logger

	mu      sync.Mutex
	in, out map[uint64]bool // groups that match, by whether the set has them
	gone    map[uint64]bool // groups removed while what is there is gone through; else nil
	removed []removedGroup
	sweeper *time.Timer // nil while nothing was removed
	closed  bool
}

// A removedGroup is still in the set.
type removedGroup struct {
	key uint64
	at  time.Time
}

// openCgroupSet attaches a program to what makes groups, unless one follows them already.
func openCgroupSet(set *object.CgroupSet, groups *ebpf.Map, follower io.Closer, opt Options) (*cgroupSet, error) {
	s := &cgroupSet{CgroupSet: set, kernel: opt.Kernel, groups: groups, link: follower, log: opt.log(), in: map[uint64]bool{}, out: map[uint64]bool{}}
	if follower != nil {
		return s, nil
	}
	layout, err := cgroupLayoutOf(opt.Kernel)
	if err != nil {
		return s, nil // the keeper says so
	}
	if err := s.follow(layout); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// follow attaches the program.
func (s *cgroupSet) follow(layout *cgroupLayout) (err error) {
	s.coll, err = ebpf.NewCollectionWithOptions(setSpec(layout, s.CgroupSet, s.groups.MaxEntries()), ebpf.CollectionOptions{
		MapReplacements: map[string]*ebpf.Map{setGroups: s.groups},
	})
	if err != nil {
		return err
	}
	s.link, err = attachRawTracepoint(s.coll.Programs[cgroupMade], object.RawTracepoint{Event: cgroupMade}, 0)
	return err
}

// fill puts in the groups that are there already. Where only a part of them is seen,
// by paths that mean something else, there is nothing to compare.
func (s *cgroupSet) fill() {
	s.mu.Lock()
	s.gone = map[uint64]bool{}
	s.mu.Unlock()
	all := true
	hierarchies := s.kernel.Hierarchies()
	for _, h := range hierarchies {
		switch {
		case h.Number != 0 && !s.AllHierarchies:
		case !h.Whole:
			all = false
		default:
			s.kernel.Cgroups(h, func(g kernel.Cgroup) bool {
				s.tell(cgroupEvent{key: object.CgroupKey(g.ID, h.Number), path: g.Path})
				return true
			})
		}
	}
	if !all || len(hierarchies) == 0 || hierarchies[0].Number != 0 && !s.AllHierarchies {
		s.log.Warn("only cgroups that are made from now on are looked up by a pattern: those of the machine are seen only where its /sys/fs/cgroup is mounted",
			"pattern", s.Text)
	}
	s.mu.Lock()
	s.gone = nil
	s.mu.Unlock()
}

// compare finds out what has become of the groups of the set, when it was not told
// of all. Where only a part is seen, a group that is not seen may be there.
func (s *cgroupSet) compare() {
	before := s.known()
	there, whole := map[uint64]bool{}, map[uint32]bool{}
	for _, h := range s.kernel.Hierarchies() {
		whole[h.Number] = h.Whole
		s.kernel.Cgroups(h, func(g kernel.Cgroup) bool {
			there[object.CgroupKey(g.ID, h.Number)] = true
			return true
		})
	}
	s.fill()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range before {
		if _, hierarchy := object.SplitCgroup(key); whole[hierarchy] && !there[key] && !s.closed {
			s.in[key] = s.in[key] || !s.out[key]
			s.remove(key)
		}
	}
}

// known are the groups that the set has, also those that only the program knows,
// and those that there is no room for. Removed ones are not among them.
func (s *cgroupSet) known() (all []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := maps.Clone(s.in)
	maps.Copy(known, s.out)
	var key, value uint64
	for groups := s.groups.Iterate(); groups.Next(&key, &value); {
		known[key] = true
	}
	for _, r := range s.removed {
		delete(known, r.key)
	}
	return slices.Collect(maps.Keys(known))
}

// tell notes what has become of a group.
func (s *cgroupSet) tell(e cgroupEvent) {
	if _, hierarchy := object.SplitCgroup(e.key); hierarchy != 0 && !s.AllHierarchies {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
	case e.removed:
		s.remove(e.key)
	case s.Match(e.path):
		s.put(e.key)
	}
}

// put makes the set have a group. The program has put it in, if there was room.
func (s *cgroupSet) put(key uint64) {
	if s.in[key] || s.gone[key] {
		return
	}
	err := s.groups.Put(key, uint64(1))
	switch {
	case err == nil:
		s.in[key] = true
		delete(s.out, key)
		return
	case !errors.Is(err, unix.E2BIG):
		s.log.Error("a cgroup cannot be put into the set of a pattern", "pattern", s.Text, "err", err)
	case len(s.out) == 0:
		s.log.Warn("more cgroups match the pattern than there is room for: the others count as if they did not match",
			"pattern", s.Text, "room", s.groups.MaxEntries())
	}
	if len(s.out) < maxLeftOut {
		s.out[key] = true
	}
}

// maxLeftOut bounds what is remembered of groups that there is no room for.
const maxLeftOut = 1 << 16

// remove lets the set forget a group after a while.
func (s *cgroupSet) remove(key uint64) {
	delete(s.out, key)
	if s.gone != nil {
		s.gone[key] = true
	}
	if !s.in[key] {
		return
	}
	s.removed = append(s.removed, removedGroup{key, time.Now()})
	if s.sweeper == nil {
		s.sweeper = time.AfterFunc(keepRemoved, func() { s.sweep(time.Now()) })
	}
}

// sweep takes out what was removed long enough ago, and puts in what there was no
// room for.
func (s *cgroupSet) sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	n := 0
	for n < len(s.removed) && now.Sub(s.removed[n].at) >= keepRemoved {
		s.takeOut(s.removed[n].key)
		n++
	}
	s.removed, s.sweeper = s.removed[n:], nil
	if len(s.removed) > 0 {
		s.sweeper = time.AfterFunc(keepRemoved-now.Sub(s.removed[0].at), func() { s.sweep(time.Now()) })
	}
	for key := range s.out {
		if len(s.in) == int(s.groups.MaxEntries()) {
			break
		}
		s.put(key)
	}
}

func (s *cgroupSet) takeOut(key uint64) {
	if err := s.groups.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		s.log.Warn("a cgroup that is gone stays in the set of a pattern", "pattern", s.Text, "err", err)
		return
	}
	delete(s.in, key)
}

func (s *cgroupSet) close() {
	s.mu.Lock()
	s.closed = true
	if s.sweeper != nil {
		s.sweeper.Stop()
	}
	s.mu.Unlock()
	if s.link != nil {
		_ = s.link.Close()
	}
	if s.coll != nil {
		freeAll(s.coll)
	}
}

// A CgroupPattern is what has become of a pattern of the script.
type CgroupPattern struct {
	Pattern string
	Groups  int // that match
	LeftOut int // of these, for which there is no room
}

// CgroupPatterns tells of each pattern of cgroups in the script.
func (t *Tracer) CgroupPatterns() (all []CgroupPattern) {
	t.life.RLock()
	defer t.life.RUnlock()
	for _, s := range t.sets {
		s.mu.Lock()
		all = append(all, CgroupPattern{s.Text, len(s.in) + len(s.out) - len(s.removed), len(s.out)})
		s.mu.Unlock()
	}
	return all
}
