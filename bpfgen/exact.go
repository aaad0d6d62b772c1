package bpfgen

import (
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
)

// Exact counts
//
// The kernel counts how often it skips a program at a tracepoint, or at fentry and
// fexit. A clause without
// a predicate whose statement is @n = count() would have added one each time. So
// the map's value and that number together are exact, and who reads the map adds
// them. What the script itself reads is without them.

// addMisses notes for each map which programs' misses belong to its value.
func (c *compiler) addMisses(programs []*probe.Program) {
	if !c.kernel.Has(kernel.MissedCounts) || c.opt.Sample {
		return
	}
	for _, m := range c.obj.Maps {
		m.MissedBy = missedBy(m, programs)
	}
	for _, p := range programs {
		p.Exact = c.exact(p)
	}
}

// missedBy lists the programs of which each miss is one count less in m, once for
// each count. It is empty where some counts depend on more than the event.
func missedBy(m *object.Map, programs []*probe.Program) (by []int) {
	if m.Agg == nil || m.Agg.Name != "count" || m.Storage != object.Cell || m.Cleared() || deleted(m.Map, programs) {
		return nil
	}
	for i, p := range programs {
		for _, clause := range p.Clauses {
			certain, all := countsIn(clause, m.Map)
			if certain != all || all > 0 && !missesCounted(p.Attach) {
				return nil
			}
			for range certain {
				by = append(by, i)
			}
		}
	}
	return by
}

// missesCounted says whether the kernel counts all that a program of that kind
// misses; one that it does not run misses nothing.
func missesCounted(a object.AttachKind) bool {
	switch a {
	case object.AttachTracepoint, object.AttachRawTracepoint, object.AttachFentry, object.AttachFexit, object.AttachBegin, object.AttachEnd:
		return true
	}
	return false
}

// countsIn returns how many statements of a clause count into m, and how many of
// them are executed at each event.
func countsIn(c *probe.Clause, m *plylang.Map) (certain, all int) {
	plylang.Walk(c.Body, func(n plylang.Node) bool {
		if countsInto(n, m) {
			all++
		}
		return true
	})
	if c.Pred != nil || c.Scope.Filters() {
		return 0, all
	}
	for _, s := range c.Body.Stmts {
		if mayLeave(s) {
			break
		}
		if countsInto(s, m) {
			certain++
		}
	}
	return certain, all
}

func countsInto(n plylang.Node, m *plylang.Map) bool {
	a, ok := n.(*plylang.Assign)
	if !ok {
		return false
	}
	ref, ok := a.LHS.(*plylang.MapRef)
	return ok && ref.Map == m
}

// mayLeave says whether a statement can end the clause.
func mayLeave(s plylang.Stmt) (may bool) {
	plylang.Walk(s, func(n plylang.Node) bool {
		switch n := n.(type) {
		case *plylang.Return:
			may = true
		case *plylang.Call:
			may = may || n.Func != nil && n.Func.Leaves
		}
		return true
	})
	return may
}

// deleted says whether a clause deletes the value of m.
func deleted(m *plylang.Map, programs []*probe.Program) (is bool) {
	for _, p := range programs {
		for _, c := range p.Clauses {
			plylang.Walk(c.Body, func(n plylang.Node) bool {
				d, ok := n.(*plylang.Delete)
				is = is || ok && d.Map.Map == m
				return true
			})
		}
	}
	return is
}

// exact says whether a program does nothing but count into maps to which its misses
// are added: then nothing is lost by them.
func (c *compiler) exact(p *probe.Program) bool {
	if p.Job != probe.RunClauses {
		return false
	}
	for _, clause := range p.Clauses {
		counts := 0
		for _, m := range c.obj.Maps {
			if len(m.MissedBy) > 0 {
				certain, _ := countsIn(clause, m.Map)
				counts += certain
			}
		}
		if counts != len(clause.Body.Stmts) {
			return false
		}
	}
	return true
}
