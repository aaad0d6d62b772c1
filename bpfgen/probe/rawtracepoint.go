package probe

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Raw tracepoints
//
// They are attached and gone in no time and cost less per event, because the
// kernel makes no record: programs get the tracepoint's arguments. A target is
// an event without its category; the tracepoints of single system calls are
// none, all of them come through sys_enter and sys_exit.

var rawProvider = newProvider("rawtracepoint", argRows...)

func init() {
	rawProvider.scopes = rawScopes
	rawProvider.list = listRaw
}

func rawScopes(r *Resolver, spec *plylang.Spec, uses plylang.Uses) ([]*Scope, error) {
	names, err := rawTracepoints(r.kernel, spec.Target)
	switch {
	case err != nil:
		return nil, err
	case !kernel.IsGlob(spec.Target) && hasTracepointNamed(r.kernel, spec.Target, names):
		if how := rawReenters(r.kernel, spec.Target); how != "" {
			return nil, missingf("before Linux 6.1 a program at this raw tracepoint could run inside itself, without end, because %s: "+
				"write tracepoint:*/%s, which the kernel guards", how, spec.Target)
		}
	}
	all := len(names)
	switch names = withoutReentries(r.kernel, names); {
	case len(names) == 0:
		return nil, noRaw(r.kernel, spec.Target)
	}
	s := newScope(rawProvider, spec, uses, object.AttachRawTracepoint)
	for _, name := range names {
		s.add(object.RawTracepoint{Event: name}, name, kernel.IsGlob(spec.Target))
	}
	s.why = "the tracepoint itself, without a record"
	if left := all - len(names); left > 0 {
		s.why += fmt.Sprintf("; %d left out, at which a program could run inside itself before Linux 6.1", left)
	}
	for i, row := range rawArgs(r.kernel, spec.Target) {
		s.vars = append(s.vars, newVar(row, wordType, func(c *Context) {
			c.Emit(asm.LoadMem(asm.R0, asm.R6, int16(8*i), asm.DWord))
		}))
	}
	return []*Scope{s}, nil
}

// rawArgs are the arguments that a tracepoint has. The kernel refuses a program
// that reads one more; of those that a glob matches, such events are left out.
func rawArgs(k *kernel.Kernel, target string) []*plylang.Func {
	if kernel.IsGlob(target) {
		return argRows
	}
	return argRows[:min(len(argRows), len(ctype.TracepointArgs(k, target)))]
}

// rawTracepoints returns the raw tracepoints that match, in order.
func rawTracepoints(k *kernel.Kernel, glob string) ([]string, error) {
	if strings.ContainsAny(glob, "/:") {
		return nil, errors.New("a raw tracepoint has no category: write rawtracepoint:event")
	}
	if !kernel.IsGlob(glob) && ctype.HasRawTracepoint(k, glob) {
		return []string{glob}, nil
	}
	all, err := k.Tracepoints("!(syscalls)", glob)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range all {
		_, event, _ := strings.Cut(name, "/")
		names = append(names, event)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(name string) bool { return !ctype.HasRawTracepoint(k, name) }), nil
}

// hasTracepointNamed says whether there is a tracepoint of that name, raw or in
// tracefs.
func hasTracepointNamed(k *kernel.Kernel, event string, raw []string) bool {
	if len(raw) > 0 {
		return true
	}
	found, err := k.Tracepoints("*", event)
	return err == nil && len(found) > 0
}

func noRaw(k *kernel.Kernel, target string) error {
	if kernel.IsGlob(target) {
		return missingf("no raw tracepoint of this kernel matches %s", target)
	}
	all, err := rawTracepoints(k, "*")
	if err != nil {
		return err
	}
	return missingf("this kernel has no raw tracepoint %s%s", target, plylang.DidYouMean(target, all))
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
