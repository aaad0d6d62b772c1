package exporter

import (
	"maps"
	"slices"

	"ply-exporter/plylang"
)

// Numbers that are not negative
//
// A sum of them is a counter, and a histogram needs no warning. Which they are is
// known of types without a sign, and of what conditions on the way have tested.

// A signs walks through a clause. It knows expressions, by their text, that are not
// negative where it is.
type signs struct {
	known map[string]plylang.Expr
	store func(a *plylang.Assign, s *signs)
}

// eachStore calls f for every aggregation into the map, with what is known there.
func eachStore(checked *plylang.Script, mapName string, f func(call *plylang.Call, s *signs)) {
	for _, c := range checked.Clauses {
		s := &signs{known: map[string]plylang.Expr{}, store: func(a *plylang.Assign, s *signs) {
			ref, ok := a.LHS.(*plylang.MapRef)
			if call, isCall := a.X.(*plylang.Call); ok && isCall && ref.Name == mapName {
				f(call, s)
			}
		}}
		if c.Pred != nil {
			s.learn(c.Pred, true)
		}
		s.block(c.Body)
	}
}

func (s *signs) block(b *plylang.Block) {
	for _, stmt := range b.Stmts {
		switch stmt := stmt.(type) {
		case *plylang.Block:
			s.block(stmt)
		case *plylang.If:
			s.branch(stmt)
		case *plylang.Unroll:
			s.forget(stmt.Body)
			s.block(stmt.Body)
		case *plylang.Assign:
			s.assign(stmt)
		}
	}
}

func (s *signs) assign(a *plylang.Assign) {
	s.store(a, s)
	positive := a.Op == plylang.ASSIGN && a.X != nil && s.notNegative(a.X)
	s.forget(a)
	if name, ok := a.LHS.(*plylang.Name); ok && positive {
		s.known[name.String()] = name
	}
}

// branch walks both ways of an if. What leaves the clause or the loop on one of
// them is known to be otherwise after it.
func (s *signs) branch(i *plylang.If) {
	before := maps.Clone(s.known)
	s.learn(i.Cond, true)
	s.block(i.Then)
	s.known = maps.Clone(before)
	if i.Else != nil {
		s.learn(i.Cond, false)
		s.block(&plylang.Block{Stmts: []plylang.Stmt{i.Else}})
	}
	s.known = before
	s.forget(i)
	if leaves(i.Then) {
		s.learn(i.Cond, false)
	}
}

func leaves(b *plylang.Block) bool {
	if len(b.Stmts) == 0 {
		return false
	}
	switch b.Stmts[len(b.Stmts)-1].(type) {
	case *plylang.Return, *plylang.Break, *plylang.Continue:
		return true
	}
	return false
}

// forget forgets everything about the locals that are assigned to in n. Of maps
// nothing is known, because other CPUs store in them.
func (s *signs) forget(n plylang.Node) {
	plylang.Walk(n, func(n plylang.Node) bool {
		if a, ok := n.(*plylang.Assign); ok {
			if name, ok := a.LHS.(*plylang.Name); ok {
				maps.DeleteFunc(s.known, func(_ string, x plylang.Expr) bool { return mentions(x, name) })
			}
		}
		return true
	})
}

func mentions(x plylang.Expr, name *plylang.Name) (yes bool) {
	plylang.Inspect(x, func(x plylang.Expr) {
		n, ok := x.(*plylang.Name)
		yes = yes || ok && n.Name == name.Name
	})
	return yes
}

// learn takes in that a condition is true, or that it is not.
func (s *signs) learn(cond plylang.Expr, truth bool) {
	switch x := cond.(type) {
	case *plylang.Unary:
		if x.Op == plylang.NOT {
			s.learn(x.X, !truth)
		}
	case *plylang.In:
		if truth && s.allNotNegative(x.List) && !readsMap(x.X) {
			s.known[x.X.String()] = x.X
		}
	case *plylang.Binary:
		if x.Op == plylang.LAND && truth || x.Op == plylang.LOR && !truth {
			s.learn(x.X, truth)
			s.learn(x.Y, truth)
			return
		}
		op := x.Op
		if !truth {
			op = opposite[op]
		}
		s.compare(x.X, op, x.Y)
		s.compare(x.Y, mirrored[op], x.X)
	}
}

var opposite = map[plylang.Token]plylang.Token{
	plylang.LT: plylang.GE, plylang.GE: plylang.LT, plylang.GT: plylang.LE, plylang.LE: plylang.GT, plylang.EQ: plylang.NE, plylang.NE: plylang.EQ,
}

var mirrored = map[plylang.Token]plylang.Token{
	plylang.LT: plylang.GT, plylang.GT: plylang.LT, plylang.LE: plylang.GE, plylang.GE: plylang.LE, plylang.EQ: plylang.EQ,
}

// compare learns from x op y.
func (s *signs) compare(x plylang.Expr, op plylang.Token, y plylang.Expr) {
	if x.Type() == nil || y.Type() == nil || plylang.Unsigned(op, x.Type(), y.Type()) || readsMap(x) {
		return
	}
	n, constant := plylang.ConstInt(y)
	switch {
	case op == plylang.GT && constant && n >= -1, (op == plylang.GE || op == plylang.GT || op == plylang.EQ) && s.notNegative(y):
		s.known[x.String()] = x
	}
}

func readsMap(x plylang.Expr) (yes bool) {
	plylang.Inspect(x, func(x plylang.Expr) {
		_, ok := x.(*plylang.MapRef)
		yes = yes || ok
	})
	return yes
}

// notNegative says whether an expression cannot be negative here. Durations count
// as numbers without a sign.
func (s *signs) notNegative(x plylang.Expr) bool {
	if t := x.Type(); t != nil && (!t.Signed || t.Unit != plylang.Plain) || s.known[x.String()] != nil {
		return true
	}
	if n, ok := plylang.ConstInt(x); ok {
		return n >= 0
	}
	switch x := x.(type) {
	case *plylang.Binary:
		return s.resultNotNegative(x)
	case *plylang.In:
		return true
	case *plylang.Cond:
		return s.notNegative(x.Then) && s.notNegative(x.Else)
	case *plylang.Cast:
		from, to := x.X.Type(), x.Type()
		return from != nil && from.Signed && to != nil && to.Size >= from.Size && s.notNegative(x.X) // (s64)pid is meant to be signed
	case *plylang.Call:
		return slices.Contains([]string{"abs", "strlen", "sizeof"}, x.Name)
	}
	return false
}

// allNotNegative is notNegative for each of a list of constants; one that is
// compared with is its bits, whatever its type.
func (s *signs) allNotNegative(list []plylang.Expr) bool {
	for _, x := range list {
		if n, ok := plylang.ConstInt(x); !ok || n < 0 {
			return false
		}
	}
	return len(list) > 0
}

// resultNotNegative is notNegative for an operator. That a sum or product of 64
// bits overflows is not considered.
func (s *signs) resultNotNegative(x *plylang.Binary) bool {
	a, b := s.notNegative(x.X), s.notNegative(x.Y)
	switch x.Op {
	case plylang.ADD, plylang.MUL, plylang.DIV, plylang.OR, plylang.XOR:
		return a && b
	case plylang.AND:
		return a || b
	case plylang.MOD, plylang.SHR:
		return a
	case plylang.EQ, plylang.NE, plylang.LT, plylang.LE, plylang.GT, plylang.GE, plylang.LAND, plylang.LOR, plylang.LXOR:
		return true
	}
	return false
}
