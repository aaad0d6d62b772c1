package plylang

import (
	"fmt"
	"reflect"
)

// Walk calls visit for n and, where visit returns true, for what is below it,
// in source order.
func Walk(n Node, visit func(Node) bool) {
	if !visit(n) {
		return
	}
	for _, child := range children(n) {
		Walk(child, visit)
	}
}

// Inspect calls visit for every expression below n, and for n itself if it is
// one, each before its operands.
func Inspect(n Node, visit func(Expr)) {
	Walk(n, func(n Node) bool {
		if x, ok := n.(Expr); ok {
			visit(x)
		}
		return true
	})
}

// children returns the nodes right below n, in source order.
func children(n Node) []Node {
	switch n := n.(type) {
	case *Script:
		return nodes(n.Probes)
	case *Probe:
		return probeChildren(n)
	case *Spec:
		return nil
	case Stmt:
		return stmtChildren(n)
	case Expr:
		return exprChildren(n)
	}
	panic(fmt.Sprintf("plylang: walking %T", n))
}

func nodes[N Node](list []N) []Node {
	out := make([]Node, len(list))
	for i, n := range list {
		out[i] = n
	}
	return out
}

func probeChildren(p *Probe) []Node {
	list := nodes(p.Specs)
	if p.Pred != nil {
		list = append(list, p.Pred)
	}
	if p.Body != nil {
		list = append(list, p.Body)
	}
	return list
}

func stmtChildren(s Stmt) []Node {
	switch s := s.(type) {
	case *Block:
		return nodes(s.Stmts)
	case *If:
		if s.Else == nil {
			return []Node{s.Cond, s.Then}
		}
		return []Node{s.Cond, s.Then, s.Else}
	case *Unroll:
		return []Node{s.Count, s.Body}
	case *Break, *Continue, *Return:
		return nil
	case *Delete:
		return []Node{s.Map}
	case *Assign:
		if s.X == nil {
			return []Node{s.LHS}
		}
		return []Node{s.LHS, s.X}
	case *ExprStmt:
		return []Node{s.X}
	}
	panic(fmt.Sprintf("plylang: walking %T", s))
}

func exprChildren(x Expr) []Node {
	switch x := x.(type) {
	case *Number, *StringLit, *Name:
		return nil
	case *Call:
		return nodes(x.Args)
	case *MapRef:
		return nodes(x.Keys)
	case *Unary:
		return []Node{x.X}
	case *Binary:
		return []Node{x.X, x.Y}
	case *Cond:
		return []Node{x.X, x.Then, x.Else}
	case *Cast:
		return []Node{x.X}
	case *Member:
		return []Node{x.X}
	case *Index:
		return []Node{x.X, x.I}
	case *Tuple:
		return nodes(x.Elems)
	}
	panic(fmt.Sprintf("plylang: walking %T", x))
}

// Equal says whether two trees mean the same: positions, types, and the
// spelling of numbers do not count, nor whether a default clause was written
// out.
func Equal(a, b Node) bool {
	if content(a) != content(b) {
		return false
	}
	below, other := children(a), children(b)
	if len(below) != len(other) {
		return false
	}
	for i := range below {
		if !Equal(below[i], other[i]) {
			return false
		}
	}
	return true
}

// own is what a node says by itself, without what is below it.
type own struct {
	kind  reflect.Type
	text  string
	op    Token
	value uint64
	unit  Unit
	mark  bool
}

func content(n Node) own {
	o := own{kind: reflect.TypeOf(n)}
	switch n := n.(type) {
	case *Spec:
		o.text = n.Provider + ":" + n.Target
	case *Probe:
		o.mark = n.Pred != nil
	case *Assign:
		o.op = n.Op
	case *Number:
		o.value, o.unit, o.mark = n.Value, n.Unit, n.Negative()
	case *StringLit:
		o.text = n.Value
	case *Name:
		o.text = n.Name
	case *Call:
		o.text = n.Name
	case *MapRef:
		o.text = n.Name
	case *Unary:
		o.op = n.Op
	case *Binary:
		o.op = n.Op
	case *Cast:
		o.text = n.To
	case *Member:
		o.text, o.mark = n.Name, n.Arrow
	}
	return o
}
