package probe

import (
	"cmp"
	"fmt"
	"slices"
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
			pattern = "*" + pattern + "*"
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
				out = append(out, Listed{p.Name + ":" + f.path + ":" + elf.Demangle(name), carried})
			}
		}
	}
	slices.SortFunc(out, func(a, b Listed) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(out, func(a, b Listed) bool { return a.Name == b.Name }), nil
}

// carried are the parameters of a function as its debug information has them, where it
// has any: by the variable that holds the whole of one, and by its own name where none
// does, as of a struct or a number with a point.
func (f *userFile) carried(k *kernel.Kernel, p *Provider, fn elf.Function) (vars []ListedVar) {
	params, err := f.elf.ParametersAt(fn.Address)
	if err != nil || p.returns {
		return nil
	}
	registers, _ := f.conventionOf(fn.Name).registers(k.Arch())
	for _, param := range params {
		v := ListedVar{param.Name, "of an unknown type"}
		if param.Type != nil {
			v.Type = param.Type.String()
		}
		if l := param.Location; l.Err == nil && len(l.Pieces) == 1 && l.Pieces[0].Kind == elf.Register {
			if i := slices.Index(registers, l.Pieces[0].Register); i >= 0 {
				v = ListedVar{fmt.Sprintf("arg%d", i), v.Type + " " + param.Name}
			}
		}
		vars = append(vars, v)
	}
	return vars
}
