package bpfgen

import (
	"fmt"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Values that a clause reads once
//
// Scripts name a value again where they want it: a predicate tests what the body
// subtracts from the time. Each reading of a table is a lookup, and each arrow a load
// that may fault. What a clause names several times is kept on the stack when it is
// read first, until the clause changes the table. That another CPU may change it
// between two readings is no reason to read it again: both would be right.

// maxKept is how many values a clause keeps at most: the stack is small.
const maxKept = 6

// A keptValue is what is kept of an expression.
type keptValue struct {
	name  string // for emit.Emitter.Once
	uses  int
	slot  emit.Mem
	reads []*plylang.Map
}

// keepValues finds what a clause reads several times. Clauses with very many paths
// keep nothing: what is kept makes more states for the verifier.
func (g *gen) keepValues(c *plylang.Clause) {
	g.kept, g.within = map[string]*keptValue{}, 1
	if g.forks {
		return
	}
	uses := map[string]int{}
	var repeated []plylang.Expr // what is part of another one behind it
	visit := func(n plylang.Node) bool {
		if x, ok := n.(plylang.Expr); ok && g.costly(x) && fixed(x) {
			text := x.String()
			if uses[text]++; uses[text] == 2 {
				repeated = append(repeated, x)
			}
		}
		return true
	}
	if c.Pred != nil {
		plylang.Walk(c.Pred, visit)
	}
	plylang.Walk(c.Body, func(n plylang.Node) bool { return visitRead(n, visit) })
	whole := map[string]int{} // most uses of what has the expression as a part
	for _, x := range repeated {
		text := x.String()
		if len(g.kept) == maxKept || whole[text] >= uses[text] {
			continue
		}
		g.keptValues++
		g.kept[text] = &keptValue{name: fmt.Sprintf("kept %d", g.keptValues), uses: uses[text], slot: g.Slot(8), reads: tablesIn(x)}
		plylang.Inspect(x, func(part plylang.Expr) {
			if g.costly(part) {
				whole[part.String()] = max(whole[part.String()], uses[text])
			}
		})
	}
}

// visitRead leaves out the tables that are stored to or deleted from, but not what
// their keys read.
func visitRead(n plylang.Node, visit func(plylang.Node) bool) bool {
	var ref *plylang.MapRef
	switch n := n.(type) {
	case *plylang.Delete:
		ref = n.Map
	case *plylang.Assign:
		ref, _ = n.LHS.(*plylang.MapRef)
		if n.X != nil {
			plylang.Walk(n.X, visit)
		}
	default:
		return visit(n)
	}
	if ref != nil {
		for _, k := range ref.Keys {
			plylang.Walk(k, visit)
		}
	}
	return false
}

// costly says whether an expression is a number that a lookup or a load from the
// kernel's memory reads.
func (g *gen) costly(x plylang.Expr) bool {
	if t := x.Type(); t == nil || !t.Scalar() {
		return false
	}
	switch x := x.(type) {
	case *plylang.MapRef:
		m := g.maps[x.Map]
		return m.Agg == nil && m.Storage != object.Cell && m.Storage != object.Array
	case *plylang.Member:
		return withMembers(x) == nil
	case *plylang.Index:
		return true
	}
	return false
}

// fixed says whether an expression is the same wherever a clause reads it, unless
// tables change.
func fixed(x plylang.Expr) bool {
	same := true
	plylang.Inspect(x, func(x plylang.Expr) {
		switch x := x.(type) {
		case *plylang.Name:
			same = same && x.Local == nil && !changing[x.Func.Name]
		case *plylang.Number, *plylang.StringLit, *plylang.MapRef, *plylang.Member, *plylang.Index, *plylang.Cast, *plylang.Unary, *plylang.Binary:
		default:
			same = false
		}
	})
	return same
}

// changing has the built-in variables that may change while a program runs.
var changing = map[string]bool{"rand": true, "time": true, "nsecs": true, "walltime": true, "secs": true, "elapsed": true}

func tablesIn(x plylang.Expr) (all []*plylang.Map) {
	plylang.Inspect(x, func(x plylang.Expr) {
		if ref, ok := x.(*plylang.MapRef); ok {
			all = append(all, ref.Map)
		}
	})
	return all
}

// keep leaves in R0 what read leaves there, the value of x, and reads it only where it
// is not kept yet. A part of what is kept itself is kept where it is used elsewhere, too.
func (g *gen) keep(x plylang.Expr, read func()) {
	var k *keptValue
	if len(g.kept) > 0 {
		k = g.kept[x.String()]
	}
	switch {
	case k == nil || k.uses <= g.within:
		read()
	case g.Fetched(k.name):
		g.Load(asm.R0, k.slot)
	default:
		g.Once(k.name, func() {
			outer := g.within
			g.within = k.uses
			read()
			g.within = outer
			g.Store(k.slot, asm.R0)
		})
	}
}

// changed forgets what was kept of a table.
func (g *gen) changed(m *plylang.Map) {
	for _, k := range g.kept {
		for _, read := range k.reads {
			if read == m {
				g.Refetch(k.name)
			}
		}
	}
}
