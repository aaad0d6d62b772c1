package bpfgen

import (
	"fmt"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
)

// An unroll is one round of an unroll statement: where break and continue go.
type unroll struct{ next, end string }

// clauseCode generates one clause: filter, predicate and body.
func (g *gen) clauseCode(c *probe.Clause) {
	g.Scope, g.Base, g.done = c.Scope, c.Base, g.Label()
	g.forks = forksOf(c.Clause) > fewForks
	g.at(c.Spec)
	no := g.done
	if g.nothing && g.wantsValue(c.Pred) {
		no = g.Label() // the record is found before all else that the predicate asks
	}
	g.Scoped(func() {
		c.Scope.Filter(&g.Context, g.done)
		if c.Scope.Timed() {
			g.findBegin(g.done)
		}
		if no != g.done {
			g.findCurrent()
		}
		g.keepValues(c.Clause)
		g.declare(c.Locals)
		if c.Pred != nil {
			g.at(c.Pred)
			g.Scoped(func() { g.cond(c.Pred, no, false) })
		}
		g.block(c.Body)
	})
	if no != g.done {
		g.Bind(no)
		g.hasNothing()
	}
	g.Bind(g.done)
}

// declare makes room for the locals of a clause, which begin as zero.
func (g *gen) declare(locals []*plylang.Local) {
	g.locals = map[*plylang.Local]emit.Mem{}
	for _, l := range locals {
		m := g.Slot(l.Type.Size)
		g.locals[l] = m
		if g.forks && l.Type.Scalar() {
			g.Emit(asm.Mov.Imm(asm.R0, 0))
			g.forgetAny()
			g.Store(m, asm.R0)
			continue
		}
		g.Zero(m)
	}
}

func (g *gen) block(b *plylang.Block) {
	for _, s := range b.Stmts {
		if g.tooLong() {
			return
		}
		g.Scoped(func() { g.stmt(s) })
	}
}

func (g *gen) stmt(s plylang.Stmt) {
	g.at(start(s))
	switch s := s.(type) {
	case *plylang.Block:
		g.block(s)
	case *plylang.If:
		g.ifStmt(s)
	case *plylang.Unroll:
		g.unroll(s)
	case *plylang.Break:
		g.Goto(g.loops[len(g.loops)-1].end)
	case *plylang.Continue:
		g.Goto(g.loops[len(g.loops)-1].next)
	case *plylang.Return:
		g.Goto(g.done)
	case *plylang.Delete:
		g.delete(s.Map)
		g.changed(s.Map.Map)
	case *plylang.Assign:
		g.assign(s)
	case *plylang.ExprStmt:
		g.effect(s.X)
	default:
		panic(fmt.Sprintf("bpfgen: no code for a %T", s))
	}
}

// start is where a statement begins: an assignment's own position is that of its
// operator.
func start(s plylang.Stmt) plylang.Node {
	if a, ok := s.(*plylang.Assign); ok {
		return a.LHS
	}
	return s
}

func (g *gen) ifStmt(s *plylang.If) {
	no, end := g.Label(), g.Label()
	g.Scoped(func() { g.cond(s.Cond, no, false) })
	g.block(s.Then)
	if s.Else == nil {
		g.Bind(no)
		return
	}
	g.Goto(end)
	g.Bind(no)
	g.stmt(s.Else)
	g.Bind(end)
}

func (g *gen) unroll(s *plylang.Unroll) {
	end := g.Label()
	for range s.Count.Value {
		if g.rounds++; g.Unreachable() || g.tooLong() {
			break
		}
		round := unroll{next: g.Label(), end: end}
		g.loops = append(g.loops, round)
		g.block(s.Body)
		g.loops = g.loops[:len(g.loops)-1]
		g.Bind(round.next)
	}
	g.Bind(end)
}

// effect evaluates an expression whose value nobody wants.
func (g *gen) effect(x plylang.Expr) {
	if t := x.Type(); t.Scalar() || t == nil || t.Kind == plylang.Void {
		g.expr(x)
		return
	}
	g.mem(x)
}

// assign stores into a map or a local, or feeds an aggregation.
func (g *gen) assign(s *plylang.Assign) {
	switch lhs := s.LHS.(type) {
	case *plylang.MapRef:
		switch {
		case lhs.Map.Agg != nil:
			g.aggregate(lhs, s.X.(*plylang.Call))
		case s.Op == plylang.ASSIGN:
			g.storeTable(lhs, s.X)
		default:
			g.updateTable(lhs, s)
		}
		g.changed(lhs.Map)
	case *plylang.Name:
		g.assignLocal(lhs, s)
	default:
		panic(fmt.Sprintf("bpfgen: no assignment to a %T", s.LHS))
	}
}

func (g *gen) assignLocal(lhs *plylang.Name, s *plylang.Assign) {
	dst := g.locals[lhs.Local]
	switch {
	case s.Op == plylang.ASSIGN && s.X.Type().Scalar():
		g.expr(s.X)
	case s.Op == plylang.ASSIGN:
		g.memInto(s.X, dst) // conditions are evaluated before anything is written
		return
	default:
		op := g.amount(s)
		g.Emit(asm.Mov.Reg(asm.R1, asm.R0))
		g.Load(asm.R0, dst)
		g.arith(op, compoundUnsigned(op, lhs.Local.Type, s.X))
	}
	g.forgetAny()
	g.Store(dst, asm.R0)
}

// amount leaves in R0 what a compound assignment operates with, and returns
// the operator.
func (g *gen) amount(s *plylang.Assign) plylang.Token {
	switch s.Op {
	case plylang.INC:
		g.Imm(asm.R0, 1)
		return plylang.ADD
	case plylang.DEC:
		g.Imm(asm.R0, 1)
		return plylang.SUB
	}
	g.expr(s.X)
	return compoundOps[s.Op]
}

var compoundOps = map[plylang.Token]plylang.Token{
	plylang.ADD_ASSIGN: plylang.ADD,
	plylang.SUB_ASSIGN: plylang.SUB,
	plylang.MUL_ASSIGN: plylang.MUL,
	plylang.DIV_ASSIGN: plylang.DIV,
	plylang.MOD_ASSIGN: plylang.MOD,
	plylang.OR_ASSIGN:  plylang.OR,
	plylang.AND_ASSIGN: plylang.AND,
	plylang.XOR_ASSIGN: plylang.XOR,
	plylang.SHL_ASSIGN: plylang.SHL,
	plylang.SHR_ASSIGN: plylang.SHR,
}

// compoundUnsigned is plylang.Unsigned for "m op= x"; x is nil for ++ and --.
func compoundUnsigned(op plylang.Token, t *plylang.Type, x plylang.Expr) bool {
	if x == nil {
		return wide(t)
	}
	return plylang.Unsigned(op, t, x.Type())
}
