package bpfgen

import (
	"slices"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/plylang"
)

// fewConstants is how many are compared one after the other. The sorted list of
// more is halved before: a thousand are found with seven comparisons and these.
const fewConstants = 8

// in goes to label if the truth of x in (…) is when.
func (g *gen) in(x *plylang.In, label string, when bool) {
	if x.Pattern != nil {
		g.inCgroups(x, label, when)
		return
	}
	other := g.Label()
	yes, no := label, other
	if !when {
		yes, no = other, label
	}
	if x.X.Type().Scalar() {
		g.expr(x.X)
		g.find(listed(x.List), yes, no)
	} else {
		g.findText(x, yes)
	}
	if !when {
		g.Goto(no)
	}
	g.Bind(other)
}

// listed are the distinct values of a list, sorted.
func listed(list []plylang.Expr) []uint64 {
	var values []uint64
	for _, elem := range list {
		v, _ := plylang.ConstInt(elem)
		values = append(values, uint64(v))
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// find goes to yes if R0 is one of the sorted values; else it falls through, or
// goes to no. R1 is lost.
func (g *gen) find(values []uint64, yes, no string) {
	if len(values) <= fewConstants {
		for _, v := range values {
			g.jumpConstant(asm.JEq, v, yes)
		}
		return
	}
	upper, middle := g.Label(), len(values)/2
	g.jumpConstant(asm.JGE, values[middle], upper)
	g.find(values[:middle], yes, no)
	g.Goto(no)
	g.Bind(upper)
	g.find(values[middle:], yes, no)
}

// jumpConstant goes to label if R0 op v, whatever the size of v.
func (g *gen) jumpConstant(op asm.JumpOp, v uint64, label string) {
	if n := int32(v); uint64(n) == v {
		g.Jump(op, asm.R0, n, label)
		return
	}
	g.Imm(asm.R1, int64(v))
	g.JumpReg(op, asm.R0, asm.R1, label)
}

// findText goes to yes if a text is one of several, and falls through otherwise.
func (g *gen) findText(x *plylang.In, yes string) {
	var value text
	copied := false
	for _, elem := range x.List {
		if g.compareComm(x.X, elem, yes, asm.JEq) {
			continue
		}
		if !copied {
			value, copied = g.text(x.X), true
		}
		g.compareWords(value, g.text(elem), yes, asm.JEq)
	}
}
