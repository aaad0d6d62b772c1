package probe

import (
	"fmt"
	"slices"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
)

// Returns of functions
//
// To notice a return the kernel keeps track of the callers inside the function, of
// so many at a time. With 300 threads asleep in one function, of 300 returns
//
//	a kretprobe noticed 10, one a processor before Linux 6.0 without preemption,
//	a kretprobe of tracefs that asks for room for 1,000 all,
//	kretprobe_multi 4 on 6.12, 2 a processor, and all from 6.18 on.
//
// So from 6.18 on functions are attached to by kretprobe_multi, and before that by
// kretprobes with room. Those are slow to attach and take memory for each caller,
// so that a glob of many functions is one link there, too.

const (
	returnCallers = 1000 // there is room for
	maxWithRoom   = 16   // functions of a specification, each with room for so many
)

// callers is how many callers of each of some functions the kernel should keep
// track of for s.
func callers(r *Resolver, s *Scope, functions int) int {
	if s.attach != object.AttachKretprobe || r.plain || functions > maxWithRoom {
		return 0
	}
	return returnCallers
}

// returnsByLink says whether the returns of a group's functions are noticed by one
// link for all.
func (p *planner) returnsByLink(group []*planned) bool {
	first := group[0].Site.(object.Function)
	switch {
	case len(group) > 1:
		return p.kernel.AtLeast(6, 18) || first.Callers == 0
	case !p.kernel.AtLeast(6, 18):
		return false
	}
	return p.kernel.Traceable(first.Symbol) && !group[0].wants("regs", "reg")
}

// returnLink is the kind of that link. Where a clause asks how long calls took, it
// runs the program when they begin, too. Such sessions are there from 6.10 on; but
// until 6.14 a call whose beginning was skipped returns all the same, with the word
// of another one, and until 6.18 all but a few sleeping callers are missed. From 6.13
// on a program is not given the stack pointer at a return (the function graph tracer
// notices it), so that without sessions there are kretprobes.
func (p *planner) returnLink(group []*planned) object.AttachKind {
	switch {
	case !group[0].wants(elapsedRow.Name):
		return object.AttachKretprobeMulti
	case p.kernel.AtLeast(6, 18) && p.kernel.Has(kernel.KprobeSession):
		return object.AttachKprobeSession
	case p.kernel.AtLeast(6, 13):
		return object.AttachKretprobe
	}
	return object.AttachKretprobeMulti
}

// wants says whether a clause at the site uses one of these canonical names.
func (s *planned) wants(names ...string) bool {
	return slices.ContainsFunc(s.clauses, func(c *Clause) bool { return c.Scope.wants(names...) })
}

// whyReturns says of how many callers the kernel keeps track.
func (p *planner) whyReturns(prog *Program) string {
	switch f, _ := prog.Points[0].Site.(object.Function); {
	case prog.Attach == object.AttachKretprobe && f.Callers > 0:
		return fmt.Sprintf("room for %d callers at a time", f.Callers)
	case prog.Attach == object.AttachKretprobeMulti && !p.kernel.AtLeast(6, 18):
		return "room for 2 callers at a time on each CPU: the returns of others are " + p.missed()
	}
	return ""
}
