package tracer

import (
	"encoding/binary"
	"strings"
	"sync"

	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/object"
)

// counting says whether this kernel counts what perf-attached programs and
// kprobes miss. It does since 6.7, and so do older kernels into which
// distributions took the change, whose mark is a new member of the
// description of links.
var counting struct {
	once sync.Once
	yes  bool
}

// Missed is how many events the kernel skipped although probes were attached.
type Missed struct {
	Specs  string // the probe specifications, which may share programs
	Events uint64
}

// Missed returns where events were missed, each once, but for those that are added
// to all that they would have been counted in. A kernel that does not
// count some of them (ProbeStatus.MissedKnown) makes them fewer.
func (t *Tracer) Missed() []Missed {
	t.life.RLock()
	defer t.life.RUnlock()
	var out []Missed
	index := map[string]int{}
	for _, p := range t.programs {
		n := p.missedEvents(t.closed)
		if n == 0 || p.Exact {
			continue
		}
		specs := p.specNames()
		if i, ok := index[specs]; ok {
			out[i].Events += n
			continue
		}
		index[specs] = len(out)
		out = append(out, Missed{specs, n})
	}
	return out
}

// missedEvents returns what p has missed. A program that is freed no longer
// tells what it has.
func (p *program) missedEvents(freed bool) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.missedNow(freed)
}

// missedNow is missedEvents for who holds the lock.
func (p *program) missedNow(freed bool) uint64 {
	if p.halted {
		return p.missed
	}
	n := p.missed + p.missedByLinks()
	if !freed {
		if stats, err := p.kernel.Stats(); err == nil {
			n += stats.RecursionMisses
		}
	}
	return max(n, p.before) - p.before
}

// letGo notes what p has missed while it was held.
func (p *program) letGo() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before = p.missedNow(false)
}

// withMissed adds what the programs of an exact count have missed to what was read
// of it before.
func (t *Tracer) withMissed(m *object.Map, c Contents) Contents {
	n := uint64(0)
	for _, i := range m.MissedBy {
		n += t.programs[i].missedEvents(t.closed)
	}
	if n == 0 {
		return c
	}
	value := make([]byte, m.Size)
	for r := range c.Rows {
		copy(value, r.Value)
	}
	binary.NativeEndian.PutUint64(value, binary.NativeEndian.Uint64(value)+n)
	c.Len, c.Rows = 1, func(yield func(Row) bool) { yield(Row{Value: value}) }
	return c
}

// missedByLinks returns the events that the links counted which are attached now.
func (p *program) missedByLinks() uint64 {
	n := uint64(0)
	for _, l := range p.links {
		n += linkMissed(l)
	}
	return n
}

// specNames is for messages.
func (p *program) specNames() string { return strings.Join(p.specTexts(), ", ") }

// specTexts are the specifications that p serves, as they were written.
func (p *program) specTexts() []string {
	names := make([]string, len(p.Specs))
	for i, s := range p.Specs {
		names[i] = s.String()
	}
	return names
}

// countsMisses looks into the kernel's types, once per process.
func countsMisses(types *btf.Cache) bool {
	counting.once.Do(func() {
		spec, err := types.Kernel()
		if err != nil {
			return
		}
		counting.yes = missedIn(spec)
	})
	return counting.yes
}

func missedIn(spec *btf.Spec) bool {
	var info *btf.Struct
	return spec.TypeByName("bpf_link_info", &info) == nil && hasMember(info.Members, "kprobe_multi", "missed")
}

// hasMember finds a path of member names, looking through unions and structs
// that have no name.
func hasMember(members []btf.Member, path ...string) bool {
	for _, m := range members {
		inner := membersOf(m.Type)
		switch {
		case m.Name == "" && hasMember(inner, path...):
			return true
		case m.Name == path[0] && len(path) == 1:
			return true
		case m.Name == path[0]:
			return hasMember(inner, path[1:]...)
		}
	}
	return false
}

func membersOf(t btf.Type) []btf.Member {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		return t.Members
	case *btf.Union:
		return t.Members
	}
	return nil
}
