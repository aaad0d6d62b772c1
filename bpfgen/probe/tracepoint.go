package probe

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Tracepoints
//
// A target is category/event, or category:event, with globs in both. What an
// event carries is in its format file in tracefs; tracepoint_field.go
// has the fields. Globs are grouped by the layout of the fields that the clause
// uses, so that a clause that uses none is one program for all of them. A glob
// may match thousands, also tracepoints that programs themselves reach: the
// kernel runs no program at perf's tracepoints while another one runs on that
// CPU, so nothing recurses, and such events are not seen.
//
// A clause runs at the raw tracepoint, which costs less and is left at once,
// where this kernel's raw tracepoints skip nothing and the fields it uses are
// found among the arguments; see tracepoint_args.go.

var tracepointProvider = newProvider("tracepoint", dataRow, elapsedRow)

func init() {
	tracepointProvider.scopes = tracepointScopes
	tracepointProvider.only = map[string]string{elapsedRow.Name: "tracepoint:syscalls/sys_exit_*"}
	tracepointProvider.list = listTracepoints
}

func tracepointScopes(r *Resolver, spec *plylang.Spec, uses plylang.Uses) ([]*Scope, error) {
	names, err := matchTracepoints(r.kernel, spec.Target)
	if err != nil {
		return nil, err
	}
	bundle := !r.plain && hasTracepoint(r.kernel, "raw_syscalls", "sys_enter")
	events := make([]*event, len(names))
	for i, name := range names {
		if events[i], err = newEvent(r, name, uses); err != nil {
			return nil, err
		}
		events[i].bundled = events[i].isCall && bundle
	}
	var scopes []*Scope
	for _, group := range alike(events, (*event).layout) {
		scopes = append(scopes, eventScope(r, spec, uses, group))
	}
	return scopes, nil
}

// An event is a tracepoint as a clause sees it.
type event struct {
	name   string
	fields *ctype.Record
	used   string       // where the fields in use are, and what they look like
	args   fieldSources // of the fields in use, where raw
	raw    bool         // the clause can do without the record
	timed  bool         // the clause asks for elapsed, and this has it

	isCall  bool // it is of a single system call
	call    kernel.Syscall
	kind    syscallKind
	bundled bool // and is had at the tracepoint of all
}

func newEvent(r *Resolver, name string, uses plylang.Uses) (*event, error) {
	e := &event{name: name, fields: ctype.LaterRecord(r.kernel, name)}
	if len(uses.Members) > 0 || uses.Names[dataRow.Name] {
		var err error
		if e.fields, err = ctype.ReadRecord(r.kernel, name, uses.Members); err != nil {
			return nil, err
		}
		e.used = e.fields.Layout(uses.Members)
	}
	e.args, e.raw = fieldsInArgs(r, name, e.fields, uses)
	e.call, e.kind, e.isCall = callOf(r.kernel, name)
	e.timed = uses.Names[elapsedRow.Name] && isReturn(name)
	return e, nil
}

// layout spells out what the clause sees of the event.
func (e *event) layout() string {
	layout := e.used
	if e.raw {
		layout += fmt.Sprint(" raw ", e.args)
	}
	if e.timed {
		layout += " elapsed"
	}
	if e.bundled {
		layout = e.kind.tracepoint + " " + layout
	}
	return layout
}

// eventScope is the scope of events that are alike.
func eventScope(r *Resolver, spec *plylang.Spec, uses plylang.Uses, group []*event) *Scope {
	s := newScope(tracepointProvider, spec, uses, object.AttachTracepoint)
	first := group[0]
	if first.bundled {
		return bundleCalls(r, s, group)
	}
	s.raw = first.raw
	data := newFields(dataRow, first.fields, first.args.load, first.args.copy)
	data.Task = first.args.taskField
	s.vars = []*Var{data}
	if isReturn(first.name) {
		s.vars = append(s.vars, elapsedVar())
	}
	for _, e := range group {
		s.add(tracepointNamed(e.name), e.name, kernel.IsGlob(spec.Target))
	}
	return s
}

// tracepointNamed is the site of category/event.
func tracepointNamed(name string) object.Tracepoint {
	category, event, _ := strings.Cut(name, "/")
	return object.Tracepoint{Category: category, Event: event}
}

// matchTracepoints returns the tracepoints a target names, as category/event,
// in order.
func matchTracepoints(k *kernel.Kernel, target string) ([]string, error) {
	category, event, ok := cutTracepoint(target)
	if !ok {
		return nil, noCategory(k, target)
	}
	found, err := k.Tracepoints(category, event)
	if err == nil && len(found) == 0 {
		err = noTracepoint(k, category+"/"+event)
	}
	if err != nil {
		return nil, err
	}
	dynamic := k.DynamicEvents()
	names := slices.DeleteFunc(slices.Clone(found), func(name string) bool { return dynamic[name] != "" })
	if len(names) == 0 {
		return nil, isDynamic(found[0], dynamic[found[0]])
	}
	return names, nil
}

// isDynamic says what an event is at which no program for tracepoints can run,
// and what can be probed instead: its definition names a function of the kernel,
// or a file.
func isDynamic(name, definition string) error {
	text := fmt.Sprintf("%s is no tracepoint of the kernel's but an event that somebody has defined (%s): no program can run there",
		name, definition)
	how, _, _ := strings.Cut(definition, ":")
	parts := strings.Fields(definition)
	if len(parts) < 2 || strings.ContainsAny(parts[1], "/:") {
		return missingf("%s", text)
	}
	switch {
	case how == "p":
		text += "; its function is kprobe:" + parts[1]
	case strings.HasPrefix(how, "r"):
		text += "; its function is kretprobe:" + parts[1]
	}
	return missingf("%s", text)
}

func noTracepoint(k *kernel.Kernel, name string) error {
	if kernel.IsGlob(name) {
		return missingf("no tracepoint of this kernel matches %s%s", name, bareChoice(name))
	}
	if hint := bareChoice(name); hint != "" {
		return missingf("this kernel has no tracepoint %s%s", name, hint)
	}
	if call, ok := strings.CutPrefix(name, "syscalls/"); ok && hasTracepoint(k, "syscalls", "sys_enter_"+call) {
		return missingf("this kernel has no tracepoint %s: write tracepoint:%s%s where the call begins, tracepoint:%s%s where it returns",
			name, syscallEnter.each, call, syscallExit.each, call)
	}
	all, _ := k.Tracepoints("*", "*") // a hint
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
	} else if !kernel.IsGlob(target) && hasTracepoint(k, "syscalls", "sys_enter_"+target) {
		text += ", here tracepoint:" + syscallEnter.each + target
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

func listTracepoints(k *kernel.Kernel, glob *kernel.Glob, vars bool) ([]Listed, error) {
	names, err := k.Tracepoints("*", "*")
	if err != nil {
		return nil, err
	}
	var out []Listed
	dynamic := k.DynamicEvents()
	for _, name := range names {
		if dynamic[name] != "" {
			continue
		}
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
