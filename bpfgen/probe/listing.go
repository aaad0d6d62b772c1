package probe

import (
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
// Functions of programs are those of a file: "uprobe:libc.so.6:mem*".
//
// Functions are listed once, as kprobes, unless the pattern names another of their
// providers.
func List(k *kernel.Kernel, pattern string, vars bool) ([]Listed, error) {
	name, target, _ := strings.Cut(pattern, ":")
	if p, err := findProvider(name); err == nil && name != pattern {
		if p.listIn != nil {
			return p.listIn(k, target, vars)
		}
		return listNamed(p, k, target, vars)
	}
	var out []Listed
	for _, p := range providers {
		if p.list == nil || p.again {
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
