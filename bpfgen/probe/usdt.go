package probe

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ply-exporter/bpfgen/elf"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Probes that programs declare (USDT)
//
// A target is a file, the provider and the name of a probe, of which both may be globs.
// A probe may be at several places of the program, and its arguments somewhere else at
// each: places at which those that a clause uses are alike are one scope. Their types
// are those of the whole probe.

var usdtProvider = newProvider("usdt", append(slices.Clone(argRows), regsRow, regRow)...)

func init() {
	usdtProvider.scopes = usdtScopes
	usdtProvider.listIn = listDeclared
}

func usdtScopes(r *Resolver, spec *plylang.Spec, uses plylang.Uses) ([]*Scope, error) {
	s := newScope(usdtProvider, spec, uses, object.AttachUprobe)
	if !r.plain && r.kernel.Has(kernel.UprobeMulti) {
		s.many = object.AttachUprobeMulti
	}
	file, pattern, ok := strings.Cut(spec.Target, ":")
	if !ok || file == "" || pattern == "" {
		return nil, fmt.Errorf("a probe is missing in %q: write %s", spec.Target, usdtProvider.Example)
	}
	files, err := r.userFiles(file)
	if err != nil {
		return nil, err
	}
	defer closeAll(files)
	var found []declaredPlace
	var all []elf.Probe
	for _, f := range files {
		declared, err := f.elf.Probes()
		if err != nil {
			return nil, err
		}
		all = append(all, declared...)
		for _, p := range matching(declared, pattern) {
			more, err := s.places(f, p)
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
	}
	if len(found) == 0 {
		return nil, noDeclared(file, pattern, all)
	}
	var scopes []*Scope
	for _, group := range alike(found, func(p declaredPlace) string { return p.key }) {
		one := *s
		one.sites = nil
		for _, p := range group {
			site := object.UserFunction{Path: p.file.path, File: p.file.id(), Offset: p.place.Offset, Semaphore: p.place.Semaphore, Symbol: p.name}
			one.add(site, p.file.path+":"+p.name, kernel.IsGlob(pattern))
		}
		one.vars = append(regVars(r.kernel), group[0].vars...)
		scopes = append(scopes, &one)
	}
	return scopes, nil
}

// A declaredPlace is a place of a probe, with the variables that the clause sees there.
type declaredPlace struct {
	file  *userFile
	name  string // provider:name
	place elf.Place
	vars  []*Var
	key   string // of all that the clause can tell it by
}

// places are the places of a probe. What a clause asks for must be there at each.
func (s *Scope) places(f *userFile, p elf.Probe) (all []declaredPlace, err error) {
	args := p.Arguments()
	for _, place := range p.Places {
		d := declaredPlace{file: f, name: p.Provider + ":" + p.Name, place: place}
		for i, arg := range args[:min(len(args), len(argRows))] {
			name := argRows[i].Name
			wanted := s.wants(name) || s.uses.Asked[name]
			switch {
			case arg.Err == nil && arg.Float:
				arg.Err = errors.New("is a floating-point number, which has no type in the language")
			case arg.Err == nil && i < len(place.Args):
				arg.Err = place.Args[i].Err
			}
			if arg.Err != nil {
				if wanted {
					return nil, fmt.Errorf("%s of %s %w", name, d.name, arg.Err)
				}
				continue
			}
			t, operand := argumentType(arg.Type), place.Args[i]
			d.vars = append(d.vars, newVar(argRows[i], t, func(c *Context) { loadOperand(c, operand, t) }))
			if wanted {
				operand.Text = "" // which may be the same where the instruction pointer is another
				d.key += fmt.Sprintf("%d %v %+v,", i, arg.Type, operand)
			}
		}
		all = append(all, d)
	}
	return all, nil
}

// argumentType is the type of an argument; one of 8 bytes may be an address in the
// memory of the process.
func argumentType(t elf.Type) *plylang.Type {
	return &plylang.Type{Kind: plylang.Int, Size: t.Size, Signed: t.Signed, User: t.Size == 8}
}

// matching are the probes of a pattern: provider:name, or a name of any provider.
func matching(all []elf.Probe, pattern string) (found []elf.Probe) {
	provider, name, ok := strings.Cut(pattern, ":")
	if !ok {
		provider, name = "*", pattern
	}
	in, is := kernel.Compile(provider), kernel.Compile(name)
	for _, p := range all {
		if in.Match(p.Provider) && is.Match(p.Name) {
			found = append(found, p)
		}
	}
	return found
}

// noDeclared says that a file declares no such probe, and which it does.
func noDeclared(file, pattern string, all []elf.Probe) error {
	if len(all) == 0 {
		return missingf("%s declares no probes: uprobe:%s:function traces its functions", file, file)
	}
	return missingf("%s declares no probe %s%s", file, pattern, plylang.DidYouMeanLike(pattern, func(yield func(string) bool) {
		for _, p := range all {
			if !yield(p.Provider + ":" + p.Name) {
				return
			}
		}
	}))
}

// listDeclared lists the probes of a file.
func listDeclared(k *kernel.Kernel, target string, vars bool) (out []Listed, err error) {
	file, pattern, _ := strings.Cut(target, ":")
	if file == "" {
		return nil, fmt.Errorf("a program or library is missing: write 'usdt:/usr/bin/python3:*'")
	}
	if err := kernel.CheckGlob(pattern); err != nil {
		return nil, err
	}
	files, err := NewResolver(k, false).userFiles(file)
	if err != nil {
		return nil, err
	}
	defer closeAll(files)
	for _, f := range files {
		declared, err := f.elf.Probes()
		if err != nil {
			return nil, err
		}
		for _, p := range declared {
			name := p.Provider + ":" + p.Name
			if len(matching([]elf.Probe{p}, pattern)) == 0 && !strings.Contains(name, pattern) {
				continue
			}
			l := Listed{Name: "usdt:" + f.path + ":" + name}
			if vars {
				l.Vars = listArgs(p)
			}
			out = append(out, l)
		}
	}
	return out, nil
}

func listArgs(p elf.Probe) (vars []ListedVar) {
	for i, arg := range p.Arguments() {
		v := ListedVar{Name: fmt.Sprintf("arg%d", i)}
		switch {
		case arg.Err != nil:
			v.Type = "(cannot be had)"
		case arg.Float:
			v.Type = fmt.Sprintf("(floating-point number of %d bytes)", arg.Size)
		case arg.Signed:
			v.Type = fmt.Sprintf("s%d", 8*arg.Size)
		default:
			v.Type = fmt.Sprintf("u%d", 8*arg.Size)
		}
		vars = append(vars, v)
	}
	return vars
}
