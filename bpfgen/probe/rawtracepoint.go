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

// Raw tracepoints
//
// They are attached and gone in no time and cost less per event, because the
// kernel makes no record: programs get the tracepoint's arguments. A target is
// an event without its category; the tracepoints of single system calls are
// none, all of them come through sys_enter and sys_exit.

var rawProvider = newProvider("rawtracepoint", append(slices.Clone(argRows), argsRow)...)

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
	if names = withoutReentries(r.kernel, names); len(names) == 0 {
		return nil, noRaw(r.kernel, spec.Target)
	}
	why := "the tracepoint itself, without a record"
	if left := all - len(names); left > 0 {
		why += fmt.Sprintf("; %d left out, at which a program could run inside itself before Linux 6.1", left)
	}
	most := 0
	for _, name := range names {
		most = max(most, rawArgs(r.kernel, name))
	}
	var scopes []*Scope
	alikeTo := func(name string) string {
		return lacks(r.kernel, name, uses.Asked) + ";" + newRawFields(r.kernel, name).key(uses)
	}
	for _, group := range alike(names, alikeTo) {
		s := rawScope(r.kernel, spec, uses, group)
		s.why = why
		s.addRawArgs(argRows[:most], lacks(r.kernel, group[0], uses.Asked))
		scopes = append(scopes, s)
	}
	return scopes, nil
}

// rawScope is the scope of events that are alike, with their arguments by name.
func rawScope(k *kernel.Kernel, spec *plylang.Spec, uses plylang.Uses, names []string) *Scope {
	s := newScope(rawProvider, spec, uses, object.AttachRawTracepoint)
	for _, name := range names {
		s.add(object.RawTracepoint{Event: name}, name, kernel.IsGlob(spec.Target))
	}
	if fields := newRawFields(k, names[0]); fields.params != nil {
		v := newFields(argsRow, fields, loadRawArg, nil)
		v.Task = fields.taskArg
		s.vars = append(s.vars, v)
	}
	return s
}

// addRawArgs makes the arguments variables, but for those that the events lack.
func (s *Scope) addRawArgs(rows []*plylang.Func, lacking string) {
	for i, row := range rows {
		if slices.Contains(strings.Fields(lacking), row.Name) {
			continue
		}
		v := newVar(row, wordType, func(c *Context) { loadRawWord(c, i) })
		v.Task = func(string) (TaskKey, bool) { return TaskKey{Arg: i}, true }
		s.vars = append(s.vars, v)
	}
}

// rawArgs is how many arguments a tracepoint has. The kernel refuses a program that
// reads one more; of the events that a glob matches, those that lack one that the
// clause reads are left out.
func rawArgs(k *kernel.Kernel, event string) int {
	return min(len(argRows), len(ctype.TracepointArgs(k, event)))
}

// lacks are the arguments that exists() asks for and the event has not.
func lacks(k *kernel.Kernel, event string, asked map[string]bool) string {
	var names []string
	for _, row := range argRows[rawArgs(k, event):] {
		if asked[row.Name] {
			names = append(names, row.Name)
		}
	}
	return strings.Join(names, " ")
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
	all, _ := rawTracepoints(k, "*") // a hint
	return missingf("this kernel has no raw tracepoint %s%s", target, plylang.DidYouMean(target, all))
}

func listRaw(k *kernel.Kernel, glob *kernel.Glob, vars bool) ([]Listed, error) {
	names, err := rawTracepoints(k, "*")
	if err != nil {
		return nil, err
	}
	var out []Listed
	for _, name := range names {
		if glob.Match(name) {
			l := Listed{Name: rawProvider.Name + ":" + name}
			if vars {
				l.Vars = newRawFields(k, name).listed()
			}
			out = append(out, l)
		}
	}
	return out, nil
}
