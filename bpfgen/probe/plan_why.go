package probe

import (
	"fmt"
	"slices"
	"strings"

	"ply-exporter/bpfgen/object"
)

// whyBundles says what the program serves by the bundles of its clauses.
func (p *Program) whyBundles() string {
	var all []bundle
	for _, c := range p.Clauses {
		if c.Scope.bundle != nil {
			all = append(all, c.Scope.bundle)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return all[0].why(all)
}

// why says in plain words how a program is attached.
func (p *planner) why(prog *Program, split bool) string {
	var parts []string
	add := func(s string) {
		if s != "" && !slices.Contains(parts, s) {
			parts = append(parts, s)
		}
	}
	add(prog.whyBundles())
	for _, c := range prog.Clauses {
		add(c.Scope.why)
	}
	switch {
	case prog.Attach == object.AttachRawTracepoint && prog.Clauses[0].Scope.raw:
		add(p.whyRaw(prog))
	case prog.Attach == object.AttachRawTracepoint:
		add(p.rawMisses(prog))
	case prog.Attach == object.AttachTracepoint:
		add(p.whyPerf(prog))
	}
	switch {
	case prog.Attach == object.AttachKprobeMulti, prog.Attach == object.AttachKretprobeMulti, prog.Attach == object.AttachKprobeSession,
		prog.Attach == object.AttachUprobeMulti, prog.Attach == object.AttachUretprobeMulti:
		add(fmt.Sprintf("one link for %s", plural(len(prog.Points), "function")))
	case attachKinds[prog.Attach].each:
	case split:
		add("a program for each attach point: this kernel cannot tell one program which of them fired")
	case len(prog.Points) > 1:
		add(fmt.Sprintf("one program for %d attach points", len(prog.Points)))
	}
	add(p.whyReturns(prog))
	if len(prog.Clauses) > 1 {
		add(fmt.Sprintf("%d clauses in one program", len(prog.Clauses)))
	}
	if len(parts) == 0 {
		add("through perf")
	}
	if _, is := prog.Points[0].Site.(object.Function); is && !attachKinds[prog.Attach].each {
		add("what is called while another program runs on its CPU is " + p.missed())
	}
	return strings.Join(parts, "; ")
}
