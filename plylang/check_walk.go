package plylang

import "fmt"

// slots calls f with each slot directly in n that holds an expression, in
// source order, so that f can put another one there. The map that a Delete
// forgets cannot be another one: its keys are visited instead.
func slots(n Node, f func(*Expr)) {
	switch n := n.(type) {
	case *Number, *StringLit, *Name, *Exists, *Block, *Unroll, *Break, *Continue, *Return:
	case *Call:
		slotList(n.Args, f)
	case *MapRef:
		slotList(n.Keys, f)
	case *Tuple:
		slotList(n.Elems, f)
	case *Unary:
		f(&n.X)
	case *Binary:
		f(&n.X)
		f(&n.Y)
	case *In:
		f(&n.X)
		slotList(n.List, f)
	case *Cond:
		f(&n.X)
		f(&n.Then)
		f(&n.Else)
	case *Cast:
		f(&n.X)
	case *Member:
		f(&n.X)
	case *Index:
		f(&n.X)
		f(&n.I)
	case *If:
		f(&n.Cond)
	case *Delete:
		slotList(n.Map.Keys, f)
	case *Assign:
		f(&n.LHS)
		if n.X != nil {
			f(&n.X)
		}
	case *ExprStmt:
		f(&n.X)
	default:
		panic(fmt.Sprintf("plylang: slots of %T", n))
	}
}

func slotList(list []Expr, f func(*Expr)) {
	for i := range list {
		f(&list[i])
	}
}

// inner calls f with each statement directly in s.
func inner(s Stmt, f func(Stmt)) {
	for _, n := range children(s) {
		if s, ok := n.(Stmt); ok {
			f(s)
		}
	}
}

// assignments calls f with each assignment in a block, in source order.
func assignments(b *Block, f func(*Assign)) {
	Walk(b, func(n Node) bool {
		if a, ok := n.(*Assign); ok {
			f(a)
		}
		return true
	})
}
