package probe

import (
	"fmt"
	"slices"

	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// From sites to programs
//
// A clause runs at the sites of its scope, and several clauses may run at one
// site. All clauses at a site are in one program, in source order: the
// kernel allows 64 programs at a tracepoint, and freeing many programs is
// dangerous. Sites with the same clauses share one program, as long as it can
// learn which site fired where a clause asks: from the attach cookie, from
// the event itself (a system call's number), or because it does not ask.

// A Plan says which programs to generate and what to attach them to.
type Plan struct {
	Programs []*Program
	Names    []string // Object.Probes
	Splits   []*Split
}

// A Split is a specification whose sites need a program each.
type Split struct {
	Spec  *plylang.Spec
	Sites int
	Tells kernel.Feature // what a kernel would need for one program; "" there is none

	// Shared is the provider whose probes at the same places are one program; "" a
	// clause that does not ask which of them fired needs one.
	Shared string
}

// A Program is a program to generate.
type Program struct {
	object.Program
	Spec    ebpf.ProgramSpec // type and attach type
	Job     Job
	Clauses []*Clause // that it runs
	For     []*Clause // that it does another job for
	Timing  Timing
}

// A Clause is a clause of the script with what the plan makes of its scope.
type Clause struct {
	*plylang.Clause
	Scope *Scope // without what others of the probe have taken
	Base  uint64 // where the names of the scope's bundle begin in Plan.Names
	index int    // among the script's clauses
}

// A planned is one site with the clauses that run there.
type planned struct {
	site
	scope   *Scope    // of the first clause
	clauses []*Clause // in source order
	again   []*Clause // those of specifications that name the site again
	split   bool
	raw     bool // is a raw tracepoint, or can be one
	alone   bool // takes a program of its own, see separateRaw
}

type planner struct {
	kernel *kernel.Kernel
	sites  []*planned
	byKey  map[string]*planned
	ids    map[string]uint64
	tables map[string]uint64
	out    *Plan

	forgets bool // a program forgets tasks
}

// NewPlan distributes clauses over programs.
func NewPlan(k *kernel.Kernel, clauses []*plylang.Clause) *Plan {
	p := &planner{
		kernel: k, out: &Plan{},
		byKey: map[string]*planned{}, ids: map[string]uint64{}, tables: map[string]uint64{},
	}
	for i, c := range clauses {
		p.addClause(&Clause{Clause: c, Scope: c.Scope.(*Scope), index: i})
	}
	p.separateRaw()
	for _, group := range alike(p.sites, p.shareKey) {
		p.addProgram(group)
	}
	return p.out
}

// maxRawPrograms is how many raw tracepoints of a script have a program of their
// own.
const maxRawPrograms = 64

// separateRaw gives each raw tracepoint a program of its own; where there are very
// many, only those whose context is known, which are the frequent ones. From Linux 6.1 on the kernel skips a raw program that is running on
// the CPU already: one program at ten tracepoints missed 0.03 to 0.3% of their
// events up to 6.18, and 4 to 25% on 7.3, where a program for each missed none
// before 7.3. Before 6.1 nothing keeps it from running inside itself, and from
// using its scratch memory twice at once.
func (p *planner) separateRaw() {
	var raw []*planned
	for _, s := range p.sites {
		if s.scope.attach == object.AttachRawTracepoint || p.canBeRaw([]*planned{s}) {
			raw = append(raw, s)
		}
	}
	for _, s := range raw {
		s.raw = true
		s.alone = len(raw) <= maxRawPrograms || firingOf(eventAt(s.Site)) != firesAnywhere
	}
}

// addClause enters a clause at each of its sites.
func (p *planner) addClause(c *Clause) {
	p.table(c)
	split := c.Scope.split(p.kernel)
	if split {
		p.noteSplit(c.Scope)
	}
	for _, s := range c.Scope.sites {
		at := p.at(c.Scope, s)
		if p.named(at, c) {
			at.again = append(at.again, c)
			continue
		}
		at.clauses = append(at.clauses, c)
		at.Covers = max(at.Covers, c.Scope.covers)
		at.Glob = at.Glob && s.Glob
		at.split = at.split || split
	}
}

// at returns what is planned for a site of a scope.
func (p *planner) at(s *Scope, at site) *planned {
	key := siteKey(s.attach, at)
	if p.byKey[key] == nil {
		p.byKey[key] = &planned{site: at, scope: s}
		p.sites = append(p.sites, p.byKey[key])
	}
	return p.byKey[key]
}

// named says whether other specifications of the probe of c have named all that
// it wants of a site: a probe runs there once. Of a bundle the clause gets what
// is left.
func (p *planner) named(at *planned, c *Clause) bool {
	for _, before := range at.clauses {
		b := before.Scope
		switch {
		case before.Probe != c.Probe || b.provider != c.Scope.provider || (b.bundle == nil) != (c.Scope.bundle == nil):
			continue
		case b.bundle == nil:
			return true
		}
		left := c.Scope.bundle.without(c.Scope, b)
		if left == nil {
			return true
		}
		c.Scope = left
	}
	return false
}

// noteSplit counts the sites of s, which need a program each.
func (p *planner) noteSplit(s *Scope) {
	i := slices.IndexFunc(p.out.Splits, func(a *Split) bool { return a.Spec == s.spec })
	if i < 0 {
		i = len(p.out.Splits)
		p.out.Splits = append(p.out.Splits, &Split{Spec: s.spec})
	}
	p.out.Splits[i].Sites += len(s.sites)
	if attachKinds[s.attach].each {
		p.out.Splits[i].Shared = s.provider.shared()
	}
	if tells := attachKinds[s.attach].tells; tells != "" {
		p.out.Splits[i].Tells = tells
	}
}

// table enters the names of a clause's bundle, once for each that has them, and
// notes where they begin.
func (p *planner) table(c *Clause) {
	if c.Scope.bundle == nil {
		return
	}
	names := c.Scope.bundle.names()
	if len(names) == 0 {
		return
	}
	key := names[len(names)-1] // differs by provider and direction
	base, ok := p.tables[key]
	if !ok {
		base = uint64(len(p.out.Names))
		p.tables[key] = base
		for i, name := range names {
			p.ids[name] = base + uint64(i)
		}
		p.out.Names = append(p.out.Names, names...)
	}
	c.Base = base
}

func siteKey(attach object.AttachKind, s site) string {
	return fmt.Sprint(attach, " ", s.Key(), " ", s.name)
}

// shareKey is equal for sites that can share a program.
func (p *planner) shareKey(s *planned) string {
	if s.split || s.alone {
		return "split " + siteKey(s.scope.attach, s.site)
	}
	key := fmt.Sprint(s.scope.attach, s.raw) // one that cannot be raw would keep the others from it
	for _, c := range s.clauses {
		key += fmt.Sprint(" ", c.index)
	}
	return key
}

// addProgram turns a group into a program.
func (p *planner) addProgram(group []*planned) {
	first := group[0]
	prog := &Program{Clauses: first.clauses}
	prog.Attach = p.attachKind(group)
	prog.Spec = attachKinds[prog.Attach].program
	prog.Name = programName(fmt.Sprintf("%s_%d", first.scope.provider.Name, len(p.out.Programs)))
	for _, s := range group {
		at := s.AttachPoint
		at.ID = p.id(s.name)
		if t, ok := at.Site.(object.Tracepoint); ok && prog.Attach == object.AttachRawTracepoint {
			at.Site = object.RawTracepoint{Event: t.Event}
		}
		if at.Covers == 1 {
			at.Covers = 0
		}
		prog.Points = append(prog.Points, at)
	}
	prog.Asks = asking(group)
	prog.setTarget()
	prog.Why = p.why(prog, first.split)
	prog.countSpecs(group)
	p.timeCalls(prog)
	p.out.Programs = append(p.out.Programs, prog)
}

// asking is the most that a clause at one of these sites asks of the probe that fired.
func asking(group []*planned) (most object.Asking) {
	for _, c := range group[0].clauses {
		switch {
		case c.Scope.wants("probe"):
			return object.AsksProbe
		case c.Scope.wants("func"):
			most = object.AsksFunction
		}
	}
	return most
}

// setTarget names the function that a program belongs to from its loading on.
func (p *Program) setTarget() {
	if f, ok := p.Points[0].Site.(object.Function); ok && attachKinds[p.Attach].each {
		p.Spec.AttachTo = f.Symbol
	}
}

// programName cuts a name to what the kernel takes: 15 letters, digits and
// underscores.
func programName(name string) string {
	if over := len(name) - 15; over > 0 {
		name = name[over:]
	}
	return name
}

// attachKind is how a program is attached to a group of sites.
func (p *planner) attachKind(group []*planned) object.AttachKind {
	first := group[0].scope
	switch {
	case p.canBeRaw(group):
		return object.AttachRawTracepoint
	case first.many == object.AttachKretprobeMulti && p.returnsByLink(group):
		return p.returnLink(group)
	case first.many == object.AttachKprobeMulti && len(group) > 1, first.many == object.AttachUprobeMulti, first.many == object.AttachUretprobeMulti:
		return first.many
	}
	return first.attach
}

// canBeRaw says whether a group of tracepoints can be raw ones: no clause needs
// the record, nor to know which of several sites fired.
func (p *planner) canBeRaw(group []*planned) bool {
	for _, c := range group[0].clauses {
		if !c.Scope.raw || len(group) > 1 && c.Scope.wants("probe") {
			return false
		}
	}
	for _, s := range group {
		if t, ok := s.Site.(object.Tracepoint); !ok || !ctype.HasRawTracepoint(p.kernel, t.Event) {
			return false
		}
	}
	return true
}

// id returns the index of a probe's name in Plan.Names.
func (p *planner) id(name string) uint64 {
	if id, ok := p.ids[name]; ok {
		return id
	}
	id := uint64(len(p.out.Names))
	p.ids[name], p.out.Names = id, append(p.out.Names, name)
	return id
}

// countSpecs lists the specifications that the program serves, and how many
// probes of each.
func (p *Program) countSpecs(group []*planned) {
	for _, c := range p.Clauses {
		*p.coverOf(c.Spec) += len(p.Points) * max(c.Scope.covers, 1)
	}
	for _, s := range group {
		for _, c := range s.again {
			p.coverOf(c.Spec)
		}
	}
}

// coverOf returns how many probes of a specification the program stands for,
// which may be none when all are another one's too.
func (p *Program) coverOf(spec *plylang.Spec) *int {
	i := slices.Index(p.Specs, spec)
	if i < 0 {
		i = len(p.Specs)
		p.Specs, p.Covers = append(p.Specs, spec), append(p.Covers, 0)
	}
	return &p.Covers[i]
}
