package bpfgen

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// A provider is a kind of probe: one row of the table of providers, and one
// file. It resolves a specification to scopes, which are groups of places that
// look the same to the script.
type provider struct {
	name    string   // canonical
	aliases []string // other spellings; any unambiguous prefix of name works too
	doc     string   // what a target looks like, for messages

	// scopes resolves a target. Nothing found is plylang.ErrMissing, wrapped
	// in a message with the nearest names.
	scopes func(e *env, spec *plylang.Spec, uses plylang.Uses) ([]*scope, error)

	// vars names the variables of this kind of probe, for messages in others.
	vars []string

	// list enumerates what this machine has of this kind, its variables too
	// when they are asked for. nil: nothing to enumerate.
	list func(k *kernel.Kernel, glob *kernel.Glob, vars bool) ([]Listed, error)
}

// A scope is one group of places of one specification, as one clause of the
// script sees it. It implements plylang.Scope.
type scope struct {
	provider *provider
	spec     *plylang.Spec
	uses     plylang.Uses
	attach   object.AttachKind
	program  ebpf.ProgramSpec // type and attach type; no instructions
	places   []object.Place   // clauses with a place in common share a program there
	names    []string         // canonical probe names, by index in places
	vars     []*builtin       // names only this kind of probe has
	why      string           // why this way in, beyond what the plan says

	// multi is the way in for several places at once; nil: there is none.
	multi *multiAttach

	// filter emits code that jumps to skip when the event is not one of this
	// clause's (a system call that the specification does not name). nil: all
	// events are.
	filter func(g *gen, skip string)

	// ids is the table of probe names of system calls, by number. The plan sets
	// base, which is where it begins in Object.Places. Where a place stands for
	// many of them, placeID emits code that leaves in R0 the index into ids of
	// the one that fired, and covers says how many the clause wants.
	ids     []string
	placeID func(g *gen)
	base    uint64
	covers  int

	// calls are the numbers of the system calls that the clause wants of a place
	// that stands for many; nil: it wants all events.
	calls []int

	// raw says that the clause may run at the raw tracepoint as well: what it
	// asks of the record is among the arguments. Its code looks at gen.raw.
	raw bool

	fields *eventFields // of a tracepoint

	// split says that the places must not share a program, because the clause
	// asks something of them that this kernel tells only apart.
	split bool
}

// A multiAttach is how several places share one link.
type multiAttach struct {
	attach  object.AttachKind
	program ebpf.ProgramSpec
}

// A builtin is one row: what the checker sees of a built-in and what it
// becomes. gen leaves a scalar in R0; mem writes a value that lives in memory
// to dst, all its bytes, with NULs up to its padded size (see emit.Mem).
// Exactly one of gen, mem and agg is set.
type builtin struct {
	plylang.Func
	gen func(g *gen, args []plylang.Expr)
	mem func(g *gen, args []plylang.Expr, dst emit.Mem)
	agg *aggregation

	// member and memberMem load a member of a variable whose members are not
	// behind an address (args of a function), or are cheaper had otherwise
	// (data of a tracepoint): a scalar to R0, anything else to memory.
	member    func(g *gen, f plylang.Field)
	memberMem func(g *gen, f plylang.Field, dst emit.Mem)
}

// providers is the table of providers, filled in init because its rows reach
// it themselves through messages.
var providers []*provider

func init() {
	providers = []*provider{
		tracepointProvider, rawProvider, kprobeProvider, kretprobeProvider,
		profileProvider, intervalProvider, softwareProvider, hardwareProvider,
		beginProvider, endProvider,
	}
}

// Scopes resolves a specification; see plylang.Env.
func (e *env) Scopes(spec *plylang.Spec, uses plylang.Uses) ([]plylang.Scope, error) {
	p, err := findProvider(spec.Provider)
	switch {
	case e.full != nil:
		return nil, e.full
	case err != nil && hasTracepoint(e.kernel, spec.Provider, strings.TrimLeft(spec.Target, ":")):
		return nil, fmt.Errorf("a tracepoint is written tracepoint:%s/%s", spec.Provider, strings.TrimLeft(spec.Target, ":"))
	case err != nil:
		return nil, err
	}
	if err := kernel.CheckGlob(spec.Target); err != nil {
		return nil, err
	}
	scopes, err := p.scopes(e, spec, uses)
	if err != nil {
		return nil, err
	}
	out := make([]plylang.Scope, len(scopes))
	for i, s := range scopes {
		out[i] = s
		e.places += len(s.places)
	}
	if e.places > maxPlaces {
		e.full = &plylang.Error{Pos: spec.Pos, Msg: fmt.Sprintf("script names more than %d places in all: name fewer", maxPlaces)}
		return nil, e.full
	}
	return out, nil
}

// maxPlaces is how many places the probes of a script may have in all, and some
// more than a kernel has functions.
const maxPlaces = 500_000

// findProvider returns the provider of that name, alias or unambiguous prefix.
func findProvider(name string) (*provider, error) {
	var prefixed []string
	var found *provider
	for _, p := range providers {
		if p.called(name) {
			return p, nil
		}
		if name != "" && strings.HasPrefix(p.name, name) {
			found, prefixed = p, append(prefixed, p.name)
		}
	}
	switch len(prefixed) {
	case 1:
		return found, nil
	case 0:
		if cure := plylang.ForeignProvider(name); cure != "" {
			return nil, fmt.Errorf("no probe provider named %q: %s", name, cure)
		}
		return nil, fmt.Errorf("no probe provider named %q (there are %s)%s",
			name, strings.Join(canonicalNames(), ", "), plylang.DidYouMean(name, providerNames()))
	}
	return nil, fmt.Errorf("probe provider %q is ambiguous: write %s", name, orList(prefixed))
}

func (p *provider) called(name string) bool {
	if p.name == name {
		return true
	}
	for _, a := range p.aliases {
		if a == name {
			return true
		}
	}
	return false
}

func canonicalNames() []string {
	var names []string
	for _, p := range providers {
		names = append(names, p.name)
	}
	return names
}

func providerNames() []string {
	names := canonicalNames()
	for _, p := range providers {
		names = append(names, p.aliases...)
	}
	return names
}

// Lookup returns a name that only this kind of probe has.
func (s *scope) Lookup(name string) *plylang.Func {
	for _, b := range s.vars {
		if b.Name == name || slices.Contains(b.Aliases, name) {
			b.Impl = b
			return &b.Func
		}
	}
	return nil
}

// Names lists what Lookup knows.
func (s *scope) Names() []string {
	var names []string
	for _, b := range s.vars {
		names = append(names, b.Name)
	}
	return names
}

// Elsewhere says in which probes name exists that this one lacks. One that
// probes of its own kind have is what functions have, and system calls not.
func (s *scope) Elsewhere(name string) string {
	var where []string
	for _, p := range providers {
		switch {
		case !slices.Contains(p.vars, name):
		case p == s.provider:
			where = append(where, p.name+" of a function")
		default:
			where = append(where, p.name)
		}
	}
	return orList(where)
}

// wants says whether the clause uses one of these names.
func (s *scope) wants(names ...string) bool {
	for _, n := range names {
		if s.uses.Names[n] {
			return true
		}
	}
	return false
}

// emitPlaceID leaves in R0 the index into Object.Places of the probe that
// fired.
func (s *scope) emitPlaceID(g *gen) {
	switch places := g.program.Places; {
	case s.placeID != nil:
		s.placeID(g)
		g.Emit(asm.Add.Imm(asm.R0, int32(s.base)))
	case len(places) == 1:
		g.Emit(asm.Mov.Imm(asm.R0, int32(places[0].ID)))
	default:
		g.Emit(asm.Mov.Reg(asm.R1, asm.R6))
		g.Call(asm.FnGetAttachCookie)
	}
}

// A missingError is what this kernel lacks.
type missingError string

func (e missingError) Error() string        { return string(e) }
func (e missingError) Is(target error) bool { return target == plylang.ErrMissing }

func missingf(format string, args ...any) error {
	return missingError(fmt.Sprintf(format, args...))
}

// orList joins names as prose does: a, b or c.
func orList(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// sortedKeys returns the keys of a set in order.
func sortedKeys(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
