// Package probe knows where programs are attached: it resolves the
// specifications of a script to sites, says what the script can ask there and
// how, and plans which programs serve which sites. Each kind of probe is one row
// of the table of providers, and one file.
package probe

import (
	"fmt"
	"slices"
	"strings"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// A Provider is a kind of probe: one row of the table of providers, and one
// file. It resolves a specification to scopes, which are groups of sites that
// look the same to the script.
type Provider struct {
	*plylang.Provider

	// vars are the variables that only probes of this kind have, some of them
	// at some sites only.
	vars []*plylang.Func

	// only says of variables that few probes of this kind have which these are.
	only map[string]string

	// others are the probes of this kind that have all its variables, where one has
	// not; "" those of functions.
	others string

	// scopes resolves a target. Nothing found is plylang.ErrMissing, wrapped
	// in a message with the nearest names. The uses have canonical names.
	scopes func(r *Resolver, spec *plylang.Spec, uses plylang.Uses) ([]*Scope, error)

	// list enumerates what this machine has of this kind, its variables too
	// when they are asked for. nil: nothing to enumerate.
	list func(k *kernel.Kernel, glob *kernel.Glob, vars bool) ([]Listed, error)

	// listIn is list for a kind whose places are in files: those of a file that match.
	listIn func(k *kernel.Kernel, target string, vars bool) ([]Listed, error)

	// returns says that its probes fire where functions return.
	returns bool

	// again says that these are places that another provider lists, so that they
	// are listed only when they are asked for by name.
	again bool
}

// providers are those that a file of this package has built, in the order of
// the language's table.
var providers []*Provider

// newProvider makes the language's row of that name a provider, with the
// variables that only its probes have. What reaches the table through messages
// is filled in init.
func newProvider(name string, vars ...*plylang.Func) *Provider {
	p := &Provider{Provider: plylang.ProviderNamed(name), vars: vars}
	providers = append(providers, p)
	order := plylang.Providers()
	slices.SortFunc(providers, func(a, b *Provider) int {
		return slices.Index(order, a.Provider) - slices.Index(order, b.Provider)
	})
	return p
}

// A Resolver finds the sites that the specifications of one script name.
type Resolver struct {
	kernel *kernel.Kernel
	plain  bool // attach every specification in the way its provider's name says
	sites  int  // of all scopes so far
	files  []*userFile
	pid    int    // of the only process that matters; 0: all do
	root   string // where it sees its files; "" for this machine's
	full   error  // the script names more than maxSites
}

// NewResolver returns a resolver for the probes of k. plain attaches every
// specification in the way that its provider's name says, without looking for a
// cheaper one.
func NewResolver(k *kernel.Kernel, plain bool) *Resolver { return &Resolver{kernel: k, plain: plain} }

// maxSites is how many sites the probes of a script may have in all, and some
// more than a kernel has functions.
const maxSites = 500_000

// Scopes resolves a specification; see plylang.Env.
func (r *Resolver) Scopes(spec *plylang.Spec, uses plylang.Uses) ([]plylang.Scope, error) {
	p, err := findProvider(spec.Provider)
	switch {
	case r.full != nil:
		return nil, r.full
	case err != nil && hasTracepoint(r.kernel, spec.Provider, strings.TrimLeft(spec.Target, ":")):
		return nil, fmt.Errorf("a tracepoint is written tracepoint:%s/%s", spec.Provider, strings.TrimLeft(spec.Target, ":"))
	case err != nil:
		return nil, err
	}
	if err := kernel.CheckGlob(spec.Target); err != nil {
		return nil, err
	}
	scopes, err := p.scopes(r, spec, p.canonical(uses))
	if err != nil {
		return nil, err
	}
	out := make([]plylang.Scope, len(scopes))
	for i, s := range scopes {
		out[i], s.kernel = s, r.kernel
		r.sites += len(s.sites)
	}
	if r.sites > maxSites {
		r.full = &plylang.Error{Pos: spec.Pos, Msg: fmt.Sprintf("script names more than %d attach points in all: name fewer", maxSites)}
		return nil, r.full
	}
	return out, nil
}

// canonical gives the provider's variables their canonical names, whichever
// the clause uses.
func (p *Provider) canonical(uses plylang.Uses) plylang.Uses {
	uses.Names, uses.Whole, uses.Asked = p.rename(uses.Names), p.rename(uses.Whole), p.rename(uses.Asked)
	return uses
}

func (p *Provider) rename(names map[string]bool) map[string]bool {
	out := make(map[string]bool, len(names))
	for name, is := range names {
		for _, v := range p.vars {
			if slices.Contains(v.Aliases, name) {
				name = v.Name
			}
		}
		out[name] = out[name] || is
	}
	return out
}

// findProvider returns the provider of that name, alias or unambiguous prefix.
func findProvider(name string) (*Provider, error) {
	var prefixed []string
	var found *Provider
	for _, p := range providers {
		if p.Called(name) {
			return p, nil
		}
		if name != "" && strings.HasPrefix(p.Name, name) {
			found, prefixed = p, append(prefixed, p.Name)
		}
	}
	switch len(prefixed) {
	case 1:
		return found, nil
	case 0:
		if hint := plylang.ForeignProvider(name); hint != "" {
			return nil, fmt.Errorf("no probe provider named %q: %s", name, hint)
		}
		return nil, fmt.Errorf("no probe provider named %q (there are %s)%s",
			name, strings.Join(canonicalNames(), ", "), plylang.DidYouMean(name, providerNames()))
	}
	return nil, fmt.Errorf("probe provider %q is ambiguous: write %s", name, orList(prefixed))
}

func canonicalNames() []string {
	var names []string
	for _, p := range providers {
		names = append(names, p.Name)
	}
	return names
}

func providerNames() []string {
	names := canonicalNames()
	for _, p := range providers {
		names = append(names, p.Aliases...)
	}
	return names
}

// haveVariable returns the providers whose probes have a variable of that name,
// or of that alias where it is nobody's name.
func haveVariable(name string) []*Provider {
	var named, aliased []*Provider
	for _, p := range providers {
		for _, v := range p.vars {
			if v.Name == name {
				named = append(named, p)
			}
			if slices.Contains(v.Aliases, name) {
				aliased = append(aliased, p)
			}
		}
	}
	if named != nil {
		return named
	}
	return aliased
}
