package plylang

import "fmt"

// CloneExpr returns a deep copy of an expression as Parse made it: what Check
// added is not copied. The copy of nil is nil.
func CloneExpr(x Expr) Expr {
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
		return &Unary{Pos: x.Pos, Op: x.Op, X: CloneExpr(x.X)}
	case *Binary:
		return &Binary{Pos: x.Pos, Op: x.Op, X: CloneExpr(x.X), Y: CloneExpr(x.Y)}
	case *Cond:
		return &Cond{Pos: x.Pos, X: CloneExpr(x.X), Then: CloneExpr(x.Then), Else: CloneExpr(x.Else)}
	case *Cast:
		return &Cast{Pos: x.Pos, To: x.To, X: CloneExpr(x.X)}
	case *Member:
		return &Member{Pos: x.Pos, X: CloneExpr(x.X), Name: x.Name, Arrow: x.Arrow}
	case *Index:
		return &Index{Pos: x.Pos, X: CloneExpr(x.X), I: CloneExpr(x.I)}
	case *Tuple:
		return &Tuple{Pos: x.Pos, Elems: cloneList(x.Elems)}
	}
	panic(fmt.Sprintf("plylang: cloning %T", x))
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
		out = append(out, CloneExpr(x))
	}
	return out
}

// CloneBlock returns a deep copy of a block as Parse made it. The copy of nil
// is nil.
func CloneBlock(b *Block) *Block {
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
		return CloneBlock(s)
	case *If:
		return &If{Pos: s.Pos, Cond: CloneExpr(s.Cond), Then: CloneBlock(s.Then), Else: cloneStmt(s.Else)}
	case *Unroll:
		return &Unroll{Pos: s.Pos, Count: cloneNumber(s.Count), Body: CloneBlock(s.Body)}
	case *Break:
		return &Break{s.Pos}
	case *Continue:
		return &Continue{s.Pos}
	case *Return:
		return &Return{s.Pos}
	case *Delete:
		return &Delete{Pos: s.Pos, Map: cloneMapRef(s.Map)}
	case *Assign:
		return &Assign{Pos: s.Pos, LHS: CloneExpr(s.LHS), Op: s.Op, X: CloneExpr(s.X), Method: s.Method}
	case *ExprStmt:
		return &ExprStmt{Pos: s.Pos, X: CloneExpr(s.X)}
	}
	panic(fmt.Sprintf("plylang: cloning %T", s))
}
