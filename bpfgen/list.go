package bpfgen

import (
	"slices"
	"strings"

	"ply-exporter/bpfgen/kernel"
)

// A Listed is a probe that this machine offers.
type Listed struct {
	Name string      // canonical: "tracepoint:sched/sched_switch"
	Vars []ListedVar // what it carries; only when asked for
}

// A ListedVar is a value that a probe carries.
type ListedVar struct {
	Name string // as a script writes it: "data->prev_comm", "args->file", "retval"
	Type string // as C writes it
}

// List enumerates the probes of k that match a pattern: "tracepoint:sched/*",
// "kprobe:vfs_*", or a glob for the whole name or for what follows the
// provider. A pattern that is no glob finds the probe of that name if it begins
// with the provider, otherwise it matches anywhere in the name; "" matches all.
// System calls have the names that scripts may use, and are listed under one.
// vars asks for what the probes carry.
//
// Returns of functions are listed only when the pattern names kretprobe.
func List(k *kernel.Kernel, pattern string, vars bool) ([]Listed, error) {
	name, target, _ := strings.Cut(pattern, ":")
	if p, err := findProvider(name); err == nil && name != pattern {
		return listNamed(p, k, target, vars)
	}
	var out []Listed
	for _, p := range providers {
		if p.list == nil || p.returns {
			continue
		}
		found, err := listOne(p, k, pattern, vars)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// listNamed lists the probe of a name, or those a pattern matches.
func listNamed(p *Provider, k *kernel.Kernel, target string, vars bool) ([]Listed, error) {
	if p.list != nil && target != "" && !kernel.IsGlob(target) {
		if found, err := p.list(k, kernel.Compile(target), vars); len(found) > 0 || err != nil {
			return found, err
		}
	}
	return listOne(p, k, target, vars)
}

func listOne(p *Provider, k *kernel.Kernel, pattern string, vars bool) ([]Listed, error) {
	if p.list == nil {
		return nil, nil
	}
	if !kernel.IsGlob(pattern) {
		pattern = "*" + pattern + "*"
	}
	if err := kernel.CheckGlob(pattern); err != nil {
		return nil, err
	}
	return p.list(k, kernel.Compile(pattern), vars)
}

func listTracepoints(k *kernel.Kernel, glob *kernel.Glob, vars bool) ([]Listed, error) {
	names, err := k.Tracepoints("*", "*")
	if err != nil {
		return nil, err
	}
	var out []Listed
	for _, name := range names {
		category, event, _ := strings.Cut(name, "/")
		if !glob.Match(name) && !glob.Match(category+":"+event) {
			continue
		}
		l := Listed{Name: tracepointProvider.Name + ":" + name}
		if vars {
			l.Vars = listFields(k, category, event)
		}
		out = append(out, l)
	}
	return out, nil
}

// listFields lists a tracepoint's fields. One that cannot be read has none.
func listFields(k *kernel.Kernel, category, event string) []ListedVar {
	format, err := k.Tracepoint(category, event)
	if err != nil {
		return nil
	}
	var vars []ListedVar
	for _, f := range format.Fields {
		if !f.Common && !(category == "syscalls" && f.Dynamic()) {
			vars = append(vars, ListedVar{"data->" + f.Name, f.CType})
		}
	}
	return vars
}

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

func listRaw(k *kernel.Kernel, glob *kernel.Glob, _ bool) ([]Listed, error) {
	names, err := rawTracepoints(k, "*")
	if err != nil {
		return nil, err
	}
	var out []Listed
	for _, name := range names {
		if glob.Match(name) {
			out = append(out, Listed{Name: rawProvider.Name + ":" + name})
		}
	}
	return out, nil
}

func listCounters(p *Provider, counters []counter) func(*kernel.Kernel, *kernel.Glob, bool) ([]Listed, error) {
	return func(_ *kernel.Kernel, glob *kernel.Glob, _ bool) ([]Listed, error) {
		var out []Listed
		for _, c := range counters {
			if glob.Match(c.name) {
				out = append(out, Listed{Name: p.Name + ":" + c.name})
			}
		}
		return out, nil
	}
}
