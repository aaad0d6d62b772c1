package bpfgen

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Tracepoints
//
// A target is category/event, or category:event, with globs in both. What an
// event carries is in its format file in tracefs; provider_tracepoint_field.go
// has the fields. Globs are grouped by the layout of the fields that the clause
// uses, so that a clause that uses none is one program for all of them. A glob
// may match thousands, also tracepoints that programs themselves reach: the
// kernel runs no program at perf's tracepoints while another one runs on that
// CPU, so nothing recurses, and such events are not seen.
//
// A clause runs at the raw tracepoint, which costs less and is left at once,
// where this kernel's raw tracepoints skip nothing and the fields it uses are
// found among the arguments; see provider_tracepoint_args.go.

var tracepointProvider = &provider{
	name:    "tracepoint",
	aliases: []string{"t", "trace"},
	doc:     "category/event",
	vars:    []string{"data", "dyn"},
}

func init() {
	tracepointProvider.scopes = tracepointScopes
	tracepointProvider.list = listTracepoints
}

var tracepointProgram = ebpf.ProgramSpec{Type: ebpf.TracePoint}

func tracepointScopes(e *env, spec *plylang.Spec, uses plylang.Uses) ([]*scope, error) {
	names, err := matchTracepoints(e.kernel, spec.Target)
	if err != nil {
		return nil, err
	}
	groups := &layoutGroups{uses: uses, byLayout: map[string]*scope{}}
	groups.bundle = !e.opt.PlainAttach && hasTracepoint(e.kernel, "raw_syscalls", "sys_enter")
	for _, name := range names {
		if err := groups.add(e, spec, name); err != nil {
			return nil, err
		}
	}
	for _, s := range groups.scopes {
		if groups.bundle {
			s.bundleCalls(e)
		}
	}
	return groups.scopes, nil
}

// layoutGroups sorts tracepoints by the layout of the fields in use.
type layoutGroups struct {
	uses     plylang.Uses
	bundle   bool // keep the tracepoints of system calls apart, by direction
	byLayout map[string]*scope
	scopes   []*scope
}

func (l *layoutGroups) add(e *env, spec *plylang.Spec, name string) error {
	fields := laterFields(e, name)
	layout := ""
	if len(l.uses.Members) > 0 || l.uses.Names["data"] || l.uses.Names["args"] {
		var err error
		if fields, err = readFields(e, name, l.uses.Members); err != nil {
			return err
		}
		layout = fields.layout(l.uses.Members)
	}
	args, raw := fieldsInArgs(e, name, fields, l.uses)
	if raw {
		layout += fmt.Sprint(" raw ", args)
	}
	if _, kind, ok := callOf(e.kernel, name); ok && l.bundle {
		layout = kind.tracepoint + " " + layout
	}
	s := l.byLayout[layout]
	if s == nil {
		s = &scope{provider: tracepointProvider, spec: spec, uses: l.uses,
			attach: object.AttachTracepoint, program: tracepointProgram, raw: raw, fields: fields}
		s.vars = []*builtin{dataVar(fields, args.load, args.copy)}
		l.byLayout[layout] = s
		l.scopes = append(l.scopes, s)
	}
	s.places = append(s.places, object.Place{Target: name, Glob: kernel.IsGlob(spec.Target)})
	s.names = append(s.names, tracepointProvider.name+":"+name)
	return nil
}

// matchTracepoints returns the tracepoints a target names, as category/event,
// in order.
func matchTracepoints(k *kernel.Kernel, target string) ([]string, error) {
	category, event, ok := cutTracepoint(target)
	if !ok {
		return nil, noCategory(k, target)
	}
	names, err := k.Tracepoints(category, event)
	if err == nil && len(names) == 0 {
		err = noTracepoint(k, category+"/"+event)
	}
	return names, err
}

func noTracepoint(k *kernel.Kernel, name string) error {
	if kernel.IsGlob(name) {
		return missingf("no tracepoint of this kernel matches %s", name)
	}
	all, err := k.Tracepoints("*", "*")
	if err != nil {
		return err
	}
	return missingf("this kernel has no tracepoint %s%s", name, plylang.DidYouMean(name, all))
}

// noCategory is about a target that names an event only.
func noCategory(k *kernel.Kernel, target string) error {
	if category, ok := strings.CutSuffix(target, "/"); ok && category != "" {
		return fmt.Errorf("tracepoint %q lacks its event: write tracepoint:%s/* for all of them", target, category)
	}
	text := fmt.Sprintf("tracepoint %q lacks its category: write tracepoint:category/event", target)
	if names, err := k.Tracepoints("*", target); err == nil && len(names) > 0 && !kernel.IsGlob(target) {
		text += ", here tracepoint:" + names[0]
	}
	return errors.New(text)
}

func hasTracepoint(k *kernel.Kernel, category, event string) bool {
	names, err := k.Tracepoints(category, event)
	return err == nil && len(names) > 0
}

func cutTracepoint(target string) (category, event string, ok bool) {
	i := strings.IndexAny(target, "/:")
	if i <= 0 || i == len(target)-1 {
		return "", "", false
	}
	return target[:i], target[i+1:], true
}

// dataVar is the variable data: its value is the record's address, its members
// are the fields: load leaves a scalar one in R0, copyTo copies another.
func dataVar(f *eventFields, load func(*gen, plylang.Field), copyTo func(*gen, plylang.Field, emit.Mem)) *builtin {
	return &builtin{
		Func: plylang.Func{
			Name: "data", Aliases: []string{"args"}, Role: plylang.Variable,
			Doc: "the fields of the tracepoint: data->field",
			Result: &plylang.Type{Kind: plylang.Pointer, Size: 8,
				Elem: &plylang.Type{Kind: plylang.Struct, Struct: f}},
		},
		gen:       func(g *gen, _ []plylang.Expr) { g.Emit(asm.Mov.Reg(asm.R0, asm.R6)) },
		member:    load,
		memberMem: copyTo,
	}
}
