package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/plylang"
)

// cond goes to label if the truth of x is when, and falls through otherwise.
func (g *gen) cond(x plylang.Expr, label string, when bool) {
	switch y := x.(type) {
	case *plylang.Unary:
		if y.Op == plylang.NOT {
			g.cond(y.X, label, !when)
			return
		}
	case *plylang.In:
		g.in(y, label, when)
		return
	case *plylang.Binary:
		switch y.Op {
		case plylang.LAND:
			g.both(y, label, when)
			return
		case plylang.LOR:
			g.either(y, label, when)
			return
		case plylang.EQ, plylang.NE, plylang.LT, plylang.GT, plylang.LE, plylang.GE:
			g.compare(y, label, when)
			return
		}
	}
	g.nonzero(x, label, when)
}

// nonzero tests a number, or the first byte of a string.
func (g *gen) nonzero(x plylang.Expr, label string, when bool) {
	if x.Type().Scalar() {
		g.expr(x)
	} else {
		m := g.mem(x)
		g.Emit(asm.LoadMem(asm.R0, m.Reg, int16(m.Off), asm.Byte))
	}
	g.Jump(emit.Pick(when, asm.JNE, asm.JEq), asm.R0, 0, label)
}

func (g *gen) both(x *plylang.Binary, label string, when bool) {
	if !when {
		g.cond(x.X, label, false)
		g.cond(x.Y, label, false)
		return
	}
	skip := g.Label()
	g.cond(x.X, skip, false)
	g.cond(x.Y, label, true)
	g.Bind(skip)
}

func (g *gen) either(x *plylang.Binary, label string, when bool) {
	if when {
		g.cond(x.X, label, true)
		g.cond(x.Y, label, true)
		return
	}
	skip := g.Label()
	g.cond(x.X, skip, true)
	g.cond(x.Y, label, false)
	g.Bind(skip)
}

// A comparison is one row: the jumps that go when it holds, and its negation.
type comparison struct {
	signed, unsigned asm.JumpOp
	not              plylang.Token
}

var comparisons = map[plylang.Token]comparison{
	plylang.EQ: {asm.JEq, asm.JEq, plylang.NE},
	plylang.NE: {asm.JNE, asm.JNE, plylang.EQ},
	plylang.LT: {asm.JSLT, asm.JLT, plylang.GE},
	plylang.GE: {asm.JSGE, asm.JGE, plylang.LT},
	plylang.GT: {asm.JSGT, asm.JGT, plylang.LE},
	plylang.LE: {asm.JSLE, asm.JLE, plylang.GT},
}

// compare goes to label if the truth of a comparison is when.
func (g *gen) compare(x *plylang.Binary, label string, when bool) {
	row := comparisons[x.Op]
	if !when {
		row = comparisons[row.not]
	}
	if !x.X.Type().Scalar() {
		g.compareText(x.X, x.Y, label, row.signed)
		return
	}
	op := emit.Pick(plylang.Unsigned(x.Op, x.X.Type(), x.Y.Type()), row.unsigned, row.signed)
	if v, ok := small(x.Y); ok {
		g.expr(x.X)
		g.Jump(op, asm.R0, v, label)
		return
	}
	g.operands(x.X, x.Y)
	g.JumpReg(op, asm.R0, asm.R1, label)
}

// truth leaves 1 in R0 if x is true, else 0.
func (g *gen) truth(x plylang.Expr) {
	no, end := g.Label(), g.Label()
	g.cond(x, no, false)
	g.Emit(asm.Mov.Imm(asm.R0, 1))
	g.Goto(end)
	g.Bind(no)
	g.Emit(asm.Mov.Imm(asm.R0, 0))
	g.Bind(end)
	g.forgetSmall()
}
