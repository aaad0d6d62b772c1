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
	if r.linksToMany() {
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
	found, err := s.declared(files, file, pattern)
	if err != nil {
		return nil, err
	}
	var scopes []*Scope
	for _, group := range alike(found, func(p declaredPlace) string { return p.key }) {
		one := *s
		one.sites = nil
		for _, p := range group {
			site := object.UserFunction{Path: p.file.path, File: p.file.id, PID: r.pid, Offset: p.place.Offset, Semaphore: p.place.Semaphore, Symbol: p.name}
			one.add(site, p.file.path+":"+p.name, kernel.IsGlob(pattern))
		}
		one.vars = append(regVars(r.kernel, true), group[0].vars...)
		scopes = append(scopes, &one)
	}
	return scopes, nil
}

// declared finds the places of the probes that a pattern matches in files of a name.
func (s *Scope) declared(files []*userFile, name, pattern string) (found []declaredPlace, err error) {
	var all []elf.Probe
	for _, f := range files {
		probes, err := f.elf.Probes()
		if err != nil {
			return nil, missingError(err.Error())
		}
		all = append(all, probes...)
		for _, p := range matching(probes, pattern) {
			more, err := s.places(f, p)
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
	}
	if len(found) == 0 {
		return nil, noDeclared(name, pattern, all)
	}
	return found, nil
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
			row := argRows[i]
			wanted := s.wants(row.Name) || s.uses.Asked[row.Name]
			operand, err := operandAt(place, i, arg)
			switch {
			case err != nil && wanted:
				return nil, fmt.Errorf("%s of %s %w", row.Name, d.name, err)
			case err != nil:
				continue
			}
			t := argumentType(arg.Type)
			d.vars = append(d.vars, newVar(row, t, func(c *Context) { loadOperand(c, operand, t) }))
			if wanted {
				operand.Text = "" // which may be the same where the instruction pointer is another
				d.key += fmt.Sprintf("%d %v %+v,", i, arg.Type, operand)
			}
		}
		all = append(all, d)
	}
	return all, nil
}

// operandAt is where argument i is at a place, or why it cannot be had there.
func operandAt(place elf.Place, i int, arg elf.Argument) (elf.Operand, error) {
	switch {
	case arg.Err != nil:
		return elf.Operand{}, arg.Err
	case arg.Float:
		return elf.Operand{}, errors.New("is a floating-point number, which has no type in the language")
	case i >= len(place.Args):
		return elf.Operand{}, fmt.Errorf("is missing at %#x, one of its places", place.Address)
	}
	return place.Args[i], place.Args[i].Err
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

// noDeclared says that a file declares no such probe, and which it does, spelled as it was
// asked for.
func noDeclared(file, pattern string, all []elf.Probe) error {
	if len(all) == 0 {
		return missingf("%s declares no probes: uprobe:%s:function traces its functions", file, file)
	}
	whole := strings.Contains(pattern, ":")
	return missingf("%s declares no probe %s%s", file, pattern, plylang.DidYouMeanLike(pattern, func(yield func(string) bool) {
		for _, p := range all {
			name := p.Name
			if whole {
				name = p.Provider + ":" + name
			}
			if !yield(name) {
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
