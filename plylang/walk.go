package plylang

import "fmt"

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
	list := nodes(p.Specs())
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
	case *In:
		return inChildren(x)
	case *Cond:
		return []Node{x.X, x.Then, x.Else}
	case *Cast:
		return []Node{x.X}
	case *Member:
		return []Node{x.X}
	case *Index:
		return []Node{x.X, x.I}
	case *Exists:
		return existsChildren(x)
	case *Tuple:
		return nodes(x.Elems)
	}
	panic(fmt.Sprintf("plylang: walking %T", x))
}

func existsChildren(x *Exists) []Node {
	switch {
	case x.Spec != nil:
		return []Node{x.Spec}
	case x.X != nil:
		return []Node{x.X}
	}
	return nil
}

func inChildren(x *In) []Node {
	list := append([]Node{x.X}, nodes(x.List)...)
	if x.Pattern != nil {
		list = append(list, x.Pattern)
	}
	return list
}
