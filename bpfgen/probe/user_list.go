package probe

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"ply-exporter/bpfgen/elf"
	"ply-exporter/bpfgen/kernel"
)

// listProgram lists the functions of a file, by each of their names that matches.
func listProgram(p *Provider) func(*kernel.Kernel, string, bool) ([]Listed, error) {
	return func(k *kernel.Kernel, target string, vars bool) ([]Listed, error) {
		file, pattern, _ := strings.Cut(target, ":")
		if file == "" {
			return nil, fmt.Errorf("a program or library is missing: write '%s:libc.so.6:mem*'", p.Name)
		}
		if !kernel.IsGlob(pattern) {
			pattern = strings.TrimRight("*"+pattern, "*") + "*"
		}
		if err := kernel.CheckGlob(pattern); err != nil {
			return nil, err
		}
		files, err := NewResolver(k, false).userFiles(file)
		if err != nil {
			return nil, err
		}
		defer closeAll(files)
		var out []Listed
		for _, f := range files {
			if p.returns {
				if err := f.returnsFrom(userTarget{file: file, name: pattern}); err != nil {
					return nil, err
				}
			}
			more, err := f.list(k, p, kernel.Compile(pattern), vars)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
		if len(out) == 0 && len(files) == 1 {
			return nil, errors.New(files[0].noneMatches(pattern))
		}
		return out, nil
	}
}

// list lists functions by name.
func (f *userFile) list(k *kernel.Kernel, p *Provider, glob *kernel.Glob, vars bool) (out []Listed, err error) {
	matches := func(name string) bool { return glob.Match(name) || glob.Match(elf.Demangle(name)) }
	for fn, err := range f.elf.Each(matches) {
		if err != nil {
			return nil, err
		}
		var carried []ListedVar
		if vars {
			carried = f.carried(k, p, fn)
		}
		for _, name := range append([]string{fn.Name}, fn.Aliases...) {
			if matches(name) {
				out = append(out, Listed{p.Name + ":" + f.path + ":" + writable(name), carried})
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return slices.CompactFunc(out, func(a, b Listed) bool { return a.Name == b.Name }), nil
}

// carried are the parameters of a function as its debug information has them, where it
// has any. What cannot be had is without args.
func (f *userFile) carried(k *kernel.Kernel, p *Provider, fn elf.Function) (vars []ListedVar) {
	u := userFunction{file: f, name: fn.Name, calls: f.conventionOf(fn.Name)}
	if p.returns {
		if r := f.resultOf(fn.Address, fn.Name); r.declared != nil && r.refused == nil {
			vars = append(vars, ListedVar{"retval", r.declared.String()})
		}
		return vars
	}
	registers, _ := u.calls.registers(k.Arch())
	for _, param := range f.paramsOf(u, fn.Address).params {
		if param.Name == "" {
			continue // no script can name it
		}
		v := ListedVar{"args->" + param.Name, "of an unknown type"}
		if param.Type != nil {
			v.Type = param.Type.String()
		}
		if param.refused != "" {
			v.Name = param.Name
		}
		if l := param.Location; l.Err == nil && len(l.Pieces) == 1 && l.Pieces[0].Kind == elf.Register {
			if i := slices.Index(registers, l.Pieces[0].Register); i >= 0 {
				v.Type += fmt.Sprintf(", arg%d", i)
			}
		}
		vars = append(vars, v)
	}
	return vars
}
