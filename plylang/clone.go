package plylang

import (
	"fmt"
	"slices"
)

// cloneExpr returns a deep copy of an expression as Parse made it: what Check
// added is not copied. The copy of nil is nil.
func cloneExpr(x Expr) Expr {
	switch x := x.(type) {
	case nil:
		return nil
	case *Number:
		return cloneNumber(x)
	case *StringLit:
		return &StringLit{Pos: x.Pos, Value: x.Value}
	case *Name:
		return &Name{Pos: x.Pos, Name: x.Name}
	case *Call:
		return &Call{Pos: x.Pos, Name: x.Name, Args: cloneList(x.Args)}
	case *MapRef:
		return cloneMapRef(x)
	case *Unary:
		return &Unary{Pos: x.Pos, Op: x.Op, X: cloneExpr(x.X)}
	case *Binary:
		return &Binary{Pos: x.Pos, Op: x.Op, X: cloneExpr(x.X), Y: cloneExpr(x.Y)}
	case *In:
		return &In{Pos: x.Pos, X: cloneExpr(x.X), List: cloneList(x.List), Pattern: clonePattern(x.Pattern)}
	case *Cond:
		return &Cond{Pos: x.Pos, X: cloneExpr(x.X), Then: cloneExpr(x.Then), Else: cloneExpr(x.Else)}
	case *Cast:
		return &Cast{Pos: x.Pos, To: x.To, X: cloneExpr(x.X)}
	case *Member:
		return &Member{Pos: x.Pos, X: cloneExpr(x.X), Name: x.Name, Arrow: x.Arrow}
	case *Index:
		return &Index{Pos: x.Pos, X: cloneExpr(x.X), I: cloneExpr(x.I)}
	case *Exists:
		return cloneExists(x)
	case *Tuple:
		return &Tuple{Pos: x.Pos, Elems: cloneList(x.Elems)}
	}
	panic(fmt.Sprintf("plylang: cloning %T", x))
}

func clonePattern(x *StringLit) *StringLit {
	if x == nil {
		return nil
	}
	return &StringLit{Pos: x.Pos, Value: x.Value}
}

func cloneExists(x *Exists) *Exists {
	out := &Exists{Pos: x.Pos, Of: x.Of, Path: slices.Clone(x.Path), X: cloneExpr(x.X)}
	if x.Spec != nil {
		spec := *x.Spec
		out.Spec = &spec
	}
	return out
}

func cloneNumber(x *Number) *Number {
	return &Number{Pos: x.Pos, Value: x.Value, Unit: x.Unit, Text: x.Text}
}

func cloneMapRef(x *MapRef) *MapRef {
	return &MapRef{Pos: x.Pos, Name: x.Name, Keys: cloneList(x.Keys)}
}

func cloneList(list []Expr) []Expr {
	var out []Expr
	for _, x := range list {
		out = append(out, cloneExpr(x))
	}
	return out
}

// cloneBlock returns a deep copy of a block as Parse made it. The copy of nil
// is nil.
func cloneBlock(b *Block) *Block {
	if b == nil {
		return nil
	}
	out := &Block{Pos: b.Pos, End: b.End}
	for _, s := range b.Stmts {
		out.Stmts = append(out.Stmts, cloneStmt(s))
	}
	return out
}

func cloneStmt(s Stmt) Stmt {
	switch s := s.(type) {
	case nil:
		return nil
	case *Block:
		return cloneBlock(s)
	case *If:
		return &If{Pos: s.Pos, Cond: cloneExpr(s.Cond), Then: cloneBlock(s.Then), Else: cloneStmt(s.Else)}
	case *Unroll:
		return &Unroll{Pos: s.Pos, Count: cloneNumber(s.Count), Body: cloneBlock(s.Body)}
	case *Break:
		return &Break{s.Pos}
	case *Continue:
		return &Continue{s.Pos}
	case *Return:
		return &Return{s.Pos}
	case *Delete:
		return &Delete{Pos: s.Pos, Map: cloneMapRef(s.Map)}
	case *Assign:
		return &Assign{Pos: s.Pos, LHS: cloneExpr(s.LHS), Op: s.Op, X: cloneExpr(s.X), Method: s.Method}
	case *ExprStmt:
		return &ExprStmt{Pos: s.Pos, X: cloneExpr(s.X)}
	}
	panic(fmt.Sprintf("plylang: cloning %T", s))
}
