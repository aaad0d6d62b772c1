package bpfgen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// From places to programs
//
// A clause runs at the places of its scope, and several clauses may run at one
// place. All clauses at a place are in one program, in source order: the
// kernel allows 64 programs at a tracepoint, and freeing many programs is
// dangerous. Places with the same clauses share one program, as long as it can
// learn which place fired where a clause asks: from the attach cookie, from
// the event itself (a system call's number), or because it does not ask.

// A plan says which programs to generate and what to attach them to.
type plan struct {
	programs []*planned
	names    []string // Object.Places
	apart    []*apart
}

// An apart is a specification whose places need a program each.
type apart struct {
	spec   *plylang.Spec
	places int
	cure   string // what kernel would need one program; "" none
}

// maxApart is how many programs a specification may need because its places
// cannot share one. Each takes memory, and freeing very many of them at once
// can stop a machine.
const maxApart = 128

// A planned is a program to generate.
type planned struct {
	object.Program
	spec    ebpf.ProgramSpec // type and attach type
	clauses []*plylang.Clause
}

// A site is one place with the clauses that run there.
type site struct {
	place   object.Place
	name    string
	attach  object.AttachKind
	scope   *scope // of the first clause
	clauses []int  // indexes into planner.clauses
	again   []int  // those of specifications that name the place again
	split   bool
}

type planner struct {
	kernel  *kernel.Kernel
	clauses []*plylang.Clause
	sites   []*site
	byKey   map[string]*site
	ids     map[string]uint64
	tables  map[string]uint64
	out     *plan
}

// newPlan distributes clauses over programs.
func newPlan(k *kernel.Kernel, clauses []*plylang.Clause) *plan {
	p := &planner{
		kernel: k, clauses: clauses, out: &plan{},
		byKey: map[string]*site{}, ids: map[string]uint64{}, tables: map[string]uint64{},
	}
	for i := range clauses {
		p.addClause(i)
	}
	for _, group := range p.groups() {
		p.addProgram(group)
	}
	return p.out
}

// addClause enters a clause at each of its places.
func (p *planner) addClause(i int) {
	s := p.clauses[i].Scope.(*scope)
	p.table(s)
	split := s.split || p.cannotTell(s)
	if split {
		p.noteApart(s)
	}
	for n, place := range s.places {
		key := siteKey(s.attach, place, s.names[n])
		at := p.byKey[key]
		if at == nil {
			at = &site{place: place, name: s.names[n], attach: s.attach, scope: s}
			at.place.Covers = 0
			p.byKey[key] = at
			p.sites = append(p.sites, at)
		}
		if p.named(at, i) {
			at.again = append(at.again, i)
			continue
		}
		at.clauses = append(at.clauses, i)
		at.place.Covers = max(at.place.Covers, s.covers)
		at.place.Glob = at.place.Glob && place.Glob
		at.split = at.split || split
	}
}

// named says whether other specifications of the probe of clause i have named
// all that it wants of a site: a probe runs there once. Of a site that stands
// for many system calls the clause gets those that are left.
func (p *planner) named(at *site, i int) bool {
	c := p.clauses[i]
	s := c.Scope.(*scope)
	for _, j := range at.clauses {
		before := p.clauses[j]
		b := before.Scope.(*scope)
		switch {
		case before.Probe != c.Probe || b.provider != s.provider || (b.calls == nil) != (s.calls == nil):
			continue
		case s.calls == nil:
			return true
		}
		s.wantCalls(slices.DeleteFunc(s.calls, func(nr int) bool { return slices.Contains(b.calls, nr) }))
	}
	return s.calls != nil && len(s.calls) == 0
}

// noteApart counts the places of s, which need a program each.
func (p *planner) noteApart(s *scope) {
	i := slices.IndexFunc(p.out.apart, func(a *apart) bool { return a.spec == s.spec })
	if i < 0 {
		i = len(p.out.apart)
		p.out.apart = append(p.out.apart, &apart{spec: s.spec})
	}
	a := p.out.apart[i]
	a.places += len(s.places)
	if s.attach != object.AttachRawTracepoint {
		a.cure = ", or run Linux 5.15 or later, where one program serves all"
	}
}

// table enters the names that the places of s stand for, once for each kind of
// probe, and sets where they begin.
func (p *planner) table(s *scope) {
	if s.ids == nil || s.placeID != nil && !s.wants("probe") {
		return
	}
	key := s.ids[len(s.ids)-1] // differs by provider and direction
	base, ok := p.tables[key]
	if !ok {
		base = uint64(len(p.out.names))
		p.tables[key] = base
		for i, name := range s.ids {
			p.ids[name] = base + uint64(i)
		}
		p.out.names = append(p.out.names, s.ids...)
	}
	s.base = base
}

// cannotTell says that a program at several places of s could not know which
// of them fired, and that the clause asks.
func (p *planner) cannotTell(s *scope) bool {
	return s.placeID == nil && len(s.places) > 1 && s.wants("probe") && !p.kernel.Has(kernel.Cookie)
}

func siteKey(attach object.AttachKind, p object.Place, name string) string {
	key := fmt.Sprintf("%s %s+%d@%x %s", attach, p.Target, p.Offset, p.Addr, name)
	if p.Perf != nil {
		key += fmt.Sprintf(" %+v", *p.Perf)
	}
	return key
}

// groups puts together the sites that can share a program, in order of first
// appearance.
func (p *planner) groups() [][]*site {
	var order []string
	groups := map[string][]*site{}
	for i, s := range p.sites {
		key := fmt.Sprint(s.attach, s.scope.program.Type, s.scope.program.AttachType, s.clauses)
		if s.split {
			key = fmt.Sprint("split ", i)
		}
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], s)
	}
	out := make([][]*site, len(order))
	for i, key := range order {
		out[i] = groups[key]
	}
	return out
}

// addProgram turns a group into a program.
func (p *planner) addProgram(group []*site) {
	first := group[0]
	prog := &planned{spec: first.scope.program}
	prog.Attach = first.attach
	prog.Name = fmt.Sprintf("%s_%d", first.scope.provider.name, len(p.out.programs))
	if m := first.scope.multi; m != nil && len(group) > 1 {
		prog.Attach, prog.spec = m.attach, m.program
	}
	raw := p.canBeRaw(group)
	if raw {
		prog.Attach, prog.spec = object.AttachRawTracepoint, rawProgram
	}
	for _, s := range group {
		place := s.place
		place.ID = p.id(s.name)
		if raw {
			_, place.Target, _ = strings.Cut(place.Target, "/")
		}
		if place.Covers == 1 {
			place.Covers = 0
		}
		prog.Places = append(prog.Places, place)
	}
	for _, i := range first.clauses {
		prog.clauses = append(prog.clauses, p.clauses[i])
	}
	prog.Why = why(prog, first.split)
	prog.countSpecs()
	for _, s := range group {
		for _, i := range s.again {
			prog.coverOf(p.clauses[i].Spec)
		}
	}
	p.out.programs = append(p.out.programs, prog)
}

// canBeRaw says whether a group of tracepoints can be raw ones: no clause needs
// the record, nor to know which of several places fired.
func (p *planner) canBeRaw(group []*site) bool {
	for _, i := range group[0].clauses {
		s := p.clauses[i].Scope.(*scope)
		if !s.raw || len(group) > 1 && s.wants("probe") {
			return false
		}
	}
	for _, s := range group {
		if _, event, _ := strings.Cut(s.place.Target, "/"); !isRawTracepoint(p.kernel, event) {
			return false
		}
	}
	return true
}

// id returns the index of a probe's name in Object.Places.
func (p *planner) id(name string) uint64 {
	if id, ok := p.ids[name]; ok {
		return id
	}
	id := uint64(len(p.out.names))
	p.ids[name], p.out.names = id, append(p.out.names, name)
	return id
}

// countSpecs lists the specifications that the program serves, and how many
// probes of each.
func (p *planned) countSpecs() {
	for _, c := range p.clauses {
		*p.coverOf(c.Spec) += len(p.Places) * max(c.Scope.(*scope).covers, 1)
	}
}

// coverOf returns how many probes of a specification the program stands for,
// which may be none when all are another one's too.
func (p *planned) coverOf(spec *plylang.Spec) *int {
	i := slices.Index(p.Specs, spec)
	if i < 0 {
		i = len(p.Specs)
		p.Specs, p.Covers = append(p.Specs, spec), append(p.Covers, 0)
	}
	return &p.Covers[i]
}

// why says in plain words how a program is attached.
func why(p *planned, split bool) string {
	var parts []string
	add := func(s string) {
		if s != "" && !slices.Contains(parts, s) {
			parts = append(parts, s)
		}
	}
	for _, c := range p.clauses {
		add(c.Scope.(*scope).why)
	}
	switch {
	case p.Attach == object.AttachRawTracepoint && p.clauses[0].Scope.(*scope).raw:
		add("as a raw tracepoint, at which this kernel skips nothing")
	case p.Attach == object.AttachKprobeMulti, p.Attach == object.AttachKretprobeMulti:
		add(fmt.Sprintf("one link for %d functions", len(p.Places)))
	case split:
		add("a program for each place: this kernel cannot tell one program which place fired")
	case len(p.Places) > 1:
		add(fmt.Sprintf("one program for %d places", len(p.Places)))
	}
	if len(p.clauses) > 1 {
		add(fmt.Sprintf("%d clauses in one program", len(p.clauses)))
	}
	if len(parts) == 0 {
		return "through perf"
	}
	return strings.Join(parts, "; ")
}
