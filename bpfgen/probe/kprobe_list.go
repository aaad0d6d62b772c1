package probe

import (
	"slices"
	"strings"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/kernel"
)

// listFunctions lists system calls by their names, and the functions that can
// be traced where the kernel has kprobes.
func listFunctions(p *Provider) func(*kernel.Kernel, *kernel.Glob, bool) ([]Listed, error) {
	return func(k *kernel.Kernel, glob *kernel.Glob, vars bool) ([]Listed, error) {
		out := listCalls(p, k, glob, vars)
		if !k.Has(kernel.Kprobe) {
			return out, nil
		}
		functions, err := k.Functions("*")
		if err != nil {
			return nil, err
		}
		for _, f := range functions {
			if !glob.Match(f.Name) {
				continue
			}
			l := Listed{Name: p.Name + ":" + f.Name}
			if vars {
				l.Vars = listPrototype(p, k, f.Name)
			}
			out = append(out, l)
		}
		return out, nil
	}
}

// listPrototype lists the parameters or the result of a function.
func listPrototype(p *Provider, k *kernel.Kernel, name string) []ListedVar {
	f := ctype.FuncNamed(k, name)
	switch {
	case f == nil:
		return nil
	case p.returns:
		return []ListedVar{{"retval", f.ResultText()}}
	}
	var vars []ListedVar
	for _, param := range f.Params {
		vars = append(vars, ListedVar{"args->" + param.Name, param.Text()})
	}
	return vars
}

func listCalls(p *Provider, k *kernel.Kernel, glob *kernel.Glob, vars bool) []Listed {
	var out []Listed
	for _, c := range presentCalls(k, k.Arch().MatchSyscalls("*")) {
		if !matchesCall(glob, c) || p.returns && c.NoReturn {
			continue
		}
		l := Listed{Name: p.Name + ":sys_" + c.Name}
		switch {
		case vars && p.returns:
			l.Vars = []ListedVar{{"retval", "long"}}
		case vars:
			l.Vars = listArguments(k, c)
		}
		out = append(out, l)
	}
	return out
}

// matchesCall says whether one of the names of a system call matches.
func matchesCall(glob *kernel.Glob, c kernel.Syscall) bool {
	return slices.ContainsFunc(callPrefixes, func(prefix string) bool {
		return glob.Match(prefix+c.Name) || glob.Match(prefix+c.Wrapper)
	})
}

// listArguments lists the arguments of a system call.
func listArguments(k *kernel.Kernel, c kernel.Syscall) []ListedVar {
	vars := listFields(k, "syscalls", "sys_enter_"+c.Wrapper)
	out := vars[:0]
	for _, v := range vars {
		name := strings.TrimPrefix(v.Name, "data->")
		if name != "__syscall_nr" && name != "nr" {
			out = append(out, ListedVar{"args->" + name, v.Type})
		}
	}
	return out
}
