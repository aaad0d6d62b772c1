package property

import (
	"slices"

	"ply-exporter/plylang"
)

// shrink returns a script that still fails and that no single step makes
// smaller: leaving out a probe or a statement, unwrapping a block, or putting
// an operand in the place of its expression.
func shrink(text string, fails func(string) bool) string {
	for {
		smaller, ok := shrinkOnce(text, fails)
		if !ok {
			return text
		}
		text = smaller
	}
}

func shrinkOnce(text string, fails func(string) bool) (string, bool) {
	for i := 0; ; i++ {
		script, err := plylang.Parse(&plylang.Source{Text: text})
		if err != nil {
			return "", false
		}
		s := &shrinker{at: i}
		if s.script(script); s.at >= 0 {
			return "", false
		}
		if smaller := script.String(); len(smaller) < len(text) && fails(smaller) {
			return smaller, true
		}
	}
}

// A shrinker does one step to a tree, the at-th that is possible; at is
// negative once it is done.
type shrinker struct{ at int }

// step says whether the step that is possible here is the one to do.
func (s *shrinker) step() bool {
	s.at--
	return s.at == -1
}

func (s *shrinker) script(script *plylang.Script) {
	for i, p := range script.Probes {
		if len(script.Probes) > 1 && s.step() {
			script.Probes = append(script.Probes[:i:i], script.Probes[i+1:]...)
			return
		}
		if p.Pred != nil {
			if s.step() {
				p.Pred = nil
				return
			}
			s.expr(&p.Pred)
		}
		s.block(p.Body)
	}
}

func (s *shrinker) block(b *plylang.Block) {
	for i := 0; i < len(b.Stmts) && s.at >= 0; i++ {
		if s.step() {
			b.Stmts = append(b.Stmts[:i:i], b.Stmts[i+1:]...)
			return
		}
		for _, inner := range bodies(b.Stmts[i]) {
			if s.step() {
				b.Stmts = slices.Concat(b.Stmts[:i], inner, b.Stmts[i+1:])
				return
			}
		}
		s.stmt(b.Stmts[i])
	}
}

// bodies are the statements that can stand for one.
func bodies(stmt plylang.Stmt) [][]plylang.Stmt {
	switch x := stmt.(type) {
	case *plylang.Block:
		return [][]plylang.Stmt{x.Stmts}
	case *plylang.Unroll:
		return [][]plylang.Stmt{x.Body.Stmts}
	case *plylang.If:
		if x.Else != nil {
			return [][]plylang.Stmt{x.Then.Stmts, {x.Else}}
		}
		return [][]plylang.Stmt{x.Then.Stmts}
	}
	return nil
}

func (s *shrinker) stmt(stmt plylang.Stmt) {
	switch x := stmt.(type) {
	case *plylang.Block:
		s.block(x)
	case *plylang.If:
		s.expr(&x.Cond)
		s.block(x.Then)
		if x.Else != nil {
			if s.step() {
				x.Else = nil
				return
			}
			s.stmt(x.Else)
		}
	case *plylang.Unroll:
		s.block(x.Body)
	case *plylang.Delete:
		s.exprs(x.Map.Keys)
	case *plylang.Assign:
		if ref, ok := x.LHS.(*plylang.MapRef); ok {
			s.exprs(ref.Keys)
		}
		if x.X != nil {
			s.expr(&x.X)
		}
	}
}

// expr does a step to the expression in a place.
func (s *shrinker) expr(place *plylang.Expr) {
	for _, operand := range operands(*place) {
		if s.at >= 0 && s.step() {
			*place = *operand
			return
		}
	}
	for _, operand := range operands(*place) {
		if s.at >= 0 {
			s.expr(operand)
		}
	}
}

func (s *shrinker) exprs(places []plylang.Expr) {
	for i := range places {
		if s.at >= 0 {
			s.expr(&places[i])
		}
	}
}

func operands(x plylang.Expr) []*plylang.Expr {
	switch x := x.(type) {
	case *plylang.Unary:
		return []*plylang.Expr{&x.X}
	case *plylang.Binary:
		return []*plylang.Expr{&x.X, &x.Y}
	case *plylang.In:
		return []*plylang.Expr{&x.X}
	case *plylang.Cond:
		return []*plylang.Expr{&x.Then, &x.Else, &x.X}
	case *plylang.Cast:
		return []*plylang.Expr{&x.X}
	case *plylang.Call:
		return places(x.Args)
	case *plylang.MapRef:
		return places(x.Keys)
	}
	return nil
}

func places(xs []plylang.Expr) []*plylang.Expr {
	var out []*plylang.Expr
	for i := range xs {
		out = append(out, &xs[i])
	}
	return out
}
