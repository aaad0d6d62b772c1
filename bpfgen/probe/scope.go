package probe

import (
	"fmt"
	"maps"
	"slices"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// A Scope is one group of sites of one specification, as one clause of the
// script sees it. It implements plylang.Scope. Nobody changes a scope that the
// checker has been given.
type Scope struct {
	provider *Provider
	spec     *plylang.Spec
	uses     plylang.Uses // canonical names
	attach   object.AttachKind
	many     object.AttachKind // for several sites at once; "": there is none
	sites    []site            // clauses with a site in common share a program there
	vars     []*Var            // names only this kind of probe has
	why      string            // why this attach kind, beyond what the plan says
	kernel   *kernel.Kernel

	moved []*move  // what has changed of the function since scripts were written for it
	notes []string // about that

	// tells are what this kernel must have for a program at several sites to
	// answer what the clause asks of the one that fired; otherwise it takes a
	// program for each. By default the clause asks for the probe's name, and
	// the attach kind says what tells.
	tells []kernel.Feature

	// bundle is what a site stands for that is many probes at once; nil: each
	// site is a probe. covers says how many of them the clause wants.
	bundle bundle
	covers int

	// raw says that the clause may run at the raw tracepoint as well: what it
	// asks of the record is among the arguments. Its code looks at Context.raw.
	raw bool
}

// A site is one site of a scope with the canonical name of the probe there.
type site struct {
	object.AttachPoint
	name string
}

// A bundle is many probes that fire at one site, of which a clause wants some:
// system calls, at the tracepoint of all of them.
type bundle interface {
	// names are the names of all that the site stands for, by the index that
	// tells them apart, "" where there is none. nil: the clause asks for none.
	names() []string

	// fired leaves in R0 the index into Plan.Names of the probe that fired.
	fired(c *Context)

	// filter goes to skip when what fired is none of those that the clause wants.
	filter(c *Context, skip string)

	// without returns s, whose bundle this is, as it is when another scope of
	// its probe takes what it wants of the same site first; nil when nothing is
	// left then.
	without(s, other *Scope) *Scope

	// why says what one program serves that has all these bundles, this one among
	// them; "": nothing that its scopes do not say.
	why(all []bundle) string
}

// newScope is a scope without sites and variables.
func newScope(p *Provider, spec *plylang.Spec, uses plylang.Uses, attach object.AttachKind) *Scope {
	return &Scope{provider: p, spec: spec, uses: uses, attach: attach}
}

// add adds a site. glob says that it is one of several that a glob matches.
func (s *Scope) add(at object.Site, name string, glob bool) {
	s.sites = append(s.sites, site{object.AttachPoint{Site: at, Glob: glob}, s.provider.Name + ":" + name})
}

// alike sorts what a clause cannot tell apart into groups, in order of first
// appearance: what has equal keys.
func alike[T any](all []T, key func(T) string) [][]T {
	var groups [][]T
	index := map[string]int{}
	for _, x := range all {
		k := key(x)
		i, ok := index[k]
		if !ok {
			i = len(groups)
			index[k] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], x)
	}
	return groups
}

// Lookup returns a name that only this kind of probe has.
func (s *Scope) Lookup(name string) *plylang.Func {
	for _, v := range s.vars {
		if v.Name == name || slices.Contains(v.Aliases, name) {
			return &v.Func
		}
	}
	return nil
}

// Names lists what Lookup knows.
func (s *Scope) Names() []string {
	var names []string
	for _, v := range s.vars {
		names = append(names, v.Name)
	}
	return names
}

// Elsewhere says in which probes name exists that this one lacks. One that
// probes of its own kind have is what functions have, and system calls not.
func (s *Scope) Elsewhere(name string) string {
	var where []string
	for _, p := range haveVariable(name) {
		switch {
		case p.only[name] != "":
			where = append(where, p.only[name])
		case p == s.provider && p.others != "":
			where = append(where, p.Name+" "+s.others(name))
		case p == s.provider:
			where = append(where, p.Name+" of a function")
		default:
			where = append(where, p.Name)
		}
	}
	return orList(where)
}

// others are the probes of the kind of s that have name.
func (s *Scope) others(name string) string {
	if name != retvalRow.Name {
		return s.provider.others
	}
	return fmt.Sprintf("of a function that returns something (%s does not)", s.symbol())
}

// Narrowed is s for a clause that uses less: what is attached follows from that,
// while sites that look different to the whole probe stay apart.
func (s *Scope) Narrowed(uses plylang.Uses) plylang.Scope {
	narrow := *s
	narrow.uses = s.provider.canonical(uses)
	return &narrow
}

// wants says whether the clause uses one of these canonical names.
func (s *Scope) wants(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return s.uses.Names[n] })
}

// split says whether the sites of s need a program each, because the clause
// asks which of them fired and this kernel does not tell.
func (s *Scope) split(k *kernel.Kernel) bool {
	row := attachKinds[s.attach]
	switch {
	case row.each:
		return true
	case len(s.sites) < 2:
		return false
	}
	if s.wants("probe") && (row.tells == "" || !k.Has(row.tells)) {
		return true
	}
	return slices.ContainsFunc(s.tells, func(f kernel.Feature) bool { return !k.Has(f) })
}

// Filters says whether some events at the sites are none of this clause's.
func (s *Scope) Filters() bool { return s.bundle != nil || s.Timed() }

// Filter goes to skip when the event is not one of this clause's.
func (s *Scope) Filter(c *Context, skip string) {
	if s.bundle != nil {
		s.bundle.filter(c, skip)
	}
}

// sortedKeys returns the keys of a set in order.
func sortedKeys(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
