package plylang

import (
	"errors"
	"slices"
)

// exists(…)
//
// What exists is known when a clause is made, before its names are resolved. So
// what exists() excludes is cut out of the clause there: the branch of an if or
// of ?: that is not taken, the other side of && and ||, what a predicate keeps
// from running. A script may so name what this kernel does not have. A condition
// that only exists() decides is gone from the clause, and costs nothing.

// A decider cuts a clause.
type decider struct {
	*clause
	cut bool // something was
}

// decide cuts out of the clause what does not exist, and says whether something is
// left to run.
func (d *decider) decide() bool {
	if d.Pred != nil {
		v, ok := d.truth(&d.Pred)
		switch {
		case ok && !v:
			return false
		case ok:
			d.Pred = nil
		}
	}
	had := len(d.Body.Stmts) > 0
	d.Body.Stmts = d.stmts(d.Body.Stmts)
	return !d.cut || !had || len(d.Body.Stmts) > 0
}

func (d *decider) stmts(list []Stmt) []Stmt {
	var out []Stmt
	for i, s := range list {
		left := d.stmt(s)
		out = append(out, left...)
		if _, isIf := s.(*If); isIf && d.leaves(left) {
			d.cut = d.cut || i+1 < len(list)
			break
		}
	}
	return out
}

// leaves says whether statements end with one that what follows is never reached
// from: with if (exists(…)) return; the rest is for other kernels.
func (d *decider) leaves(list []Stmt) bool {
	if len(list) == 0 {
		return false
	}
	switch s := list[len(list)-1].(type) {
	case *Return, *Break, *Continue:
		return true
	case *ExprStmt:
		call, ok := s.X.(*Call)
		if !ok {
			return false
		}
		f := d.lookup(call.Name)
		return f != nil && f.Leaves
	}
	return false
}

// stmt returns what is left of a statement.
func (d *decider) stmt(s Stmt) []Stmt {
	switch s := s.(type) {
	case *If:
		return d.ifStmt(s)
	case *Block:
		s.Stmts = d.stmts(s.Stmts)
	case *Unroll:
		s.Body.Stmts = d.stmts(s.Body.Stmts)
	default:
		slots(s, d.value)
	}
	return []Stmt{s}
}

func (d *decider) ifStmt(s *If) []Stmt {
	v, ok := d.truth(&s.Cond)
	switch {
	case ok && v:
		d.cut = d.cut || s.Else != nil
		return d.stmts(s.Then.Stmts)
	case ok:
		d.cut = true
		return d.elseOf(s)
	}
	s.Then.Stmts = d.stmts(s.Then.Stmts)
	if s.Else != nil {
		s.Else = asBranch(d.elseOf(s), s.Else.Position())
	}
	return []Stmt{s}
}

// elseOf is what is left of the branch that is taken otherwise.
func (d *decider) elseOf(s *If) []Stmt {
	switch e := s.Else.(type) {
	case nil:
		return nil
	case *Block:
		return d.stmts(e.Stmts)
	default:
		return d.stmt(e)
	}
}

// asBranch makes one statement of those after an else.
func asBranch(list []Stmt, pos Pos) Stmt {
	if len(list) == 1 {
		if s, ok := list[0].(*If); ok {
			return s
		}
	}
	return &Block{Pos: pos, Stmts: list, End: pos}
}

// value decides what is in an expression whose value is wanted.
func (d *decider) value(slot *Expr) {
	switch x := (*slot).(type) {
	case *Cond:
		if d.choose(slot, x) {
			d.value(slot)
			return
		}
		d.value(&x.Then)
		d.value(&x.Else)
	case *Exists, *Unary, *Binary:
		before := *slot
		v, ok := d.truth(slot)
		if ok {
			*slot = &Number{Pos: before.Position(), Value: truthValue(v)}
		} else if *slot != before { // one side of && or ||: its value is 0 or 1
			pos := before.Position()
			*slot = &Unary{Pos: pos, Op: NOT, X: &Unary{Pos: pos, Op: NOT, X: *slot}}
		}
	default:
		slots(x, d.value)
	}
}

// choose puts the value that is taken in the place of x, where that is known.
func (d *decider) choose(slot *Expr, x *Cond) bool {
	v, ok := d.truth(&x.X)
	if !ok {
		return false
	}
	d.cut = true
	*slot = x.Else
	if v {
		*slot = x.Then
	}
	return true
}

// truth decides a condition, if exists() does; else it leaves in its place what is
// still to be asked.
func (d *decider) truth(slot *Expr) (v, ok bool) {
	switch x := (*slot).(type) {
	case *Exists:
		return d.exists(x), true
	case *Unary:
		if x.Op == NOT {
			v, ok = d.truth(&x.X)
			return !v, ok
		}
		d.value(&x.X)
	case *Binary:
		return d.logic(slot, x)
	case *Cond:
		if d.choose(slot, x) {
			return d.truth(slot)
		}
		d.value(&x.Then)
		d.value(&x.Else)
	default:
		slots(x, d.value)
	}
	return false, false
}

// logic decides a && b and a || b.
func (d *decider) logic(slot *Expr, x *Binary) (v, ok bool) {
	if x.Op != LAND && x.Op != LOR {
		slots(x, d.value)
		return false, false
	}
	decides := x.Op == LOR
	a, okA := d.truth(&x.X)
	if okA && a == decides {
		d.cut = true
		return a, true
	}
	b, okB := d.truth(&x.Y)
	switch {
	case okB && b == decides:
		d.cut = d.cut || !okA
		return b, true
	case okA && okB:
		return a, true
	case okA:
		*slot = x.Y
	case okB:
		*slot = x.X
	}
	return false, false
}

// exists says whether this kernel has what x asks for. A clause without a scope has
// no variables.
func (d *decider) exists(x *Exists) bool {
	switch {
	case x.Spec != nil:
		return d.hasProbe(x.Spec)
	case x.Of != "":
		t, err := d.env.TypeNamed(x.Of)
		if errors.Is(err, ErrMissing) {
			return false
		}
		if err != nil && len(x.Path) > 0 {
			d.errorf(x.Pos, "%s", err)
		}
		return err != nil || hasPath(t, x.Path)
	}
	_, ok := d.typeOfField(x.X)
	return ok
}

// hasProbe says whether a specification matches something.
func (c *checker) hasProbe(spec *Spec) bool {
	has, known := c.probes[spec.String()]
	if known {
		return has
	}
	_, err := c.scopesOf(spec, Uses{})
	if err != nil && !errors.Is(err, ErrMissing) {
		c.scopesFailed(spec, err)
	}
	c.probes[spec.String()] = err == nil
	return err == nil
}

// hasPath says whether a type has a member of a member and so on; the last one
// may be the name of an enum's value.
func hasPath(t *Type, path []string) bool {
	for _, name := range path {
		if t = memberType(t, name); t == nil {
			return false
		}
	}
	return t != nil
}

// memberType is the type of a member of what t is or points to, or of a constant
// among the names of its values; nil if there is none.
func memberType(t *Type, name string) *Type {
	if t != nil && (t.Kind == Pointer || t.Kind == Array) {
		t = t.Elem
	}
	switch {
	case t == nil:
		return nil
	case t.Kind == Enum:
		if _, ok := t.Enum.Value(name); ok {
			return Literal
		}
		return nil
	case t.Kind != Struct || t.Struct == nil:
		return nil
	}
	f, ok := t.Struct.Member(name)
	if !ok {
		return nil
	}
	return f.Type
}

// typeOfField is the type of a variable, or of a member of what it points to.
func (d *decider) typeOfField(x Expr) (t *Type, ok bool) {
	switch x := x.(type) {
	case *Name:
		return d.typeOfVariable(x)
	case *Member:
		t, _ = d.typeOfField(x.X)
		t = memberType(t, x.Name)
		return t, t != nil
	}
	return nil, false
}

// typeOfVariable is that of a built-in variable, or of a bare field. A name that
// nobody has anywhere is a mistake.
func (d *decider) typeOfVariable(x *Name) (t *Type, ok bool) {
	f := d.lookup(x.Name)
	switch {
	case f != nil && f.Role == Variable:
		return f.Result, true
	case isTrace(d.Spec):
		if _, fields := d.fields(); fields != nil {
			field, ok := fields.Member(x.Name)
			return field.Type, ok
		}
	case d.known && (f != nil || d.Scope.Elsewhere(x.Name) == "" && !slices.ContainsFunc(d.Probe.Specs(), isTrace)):
		d.errorf(x.Pos, "%s is no variable of any probe: %s", short(x.Name), existsAsks)
	}
	return nil, false
}

// withoutExists replaces exists() by what it would be where all exists: nothing is
// cut out of a clause that tells the types of maps only.
func withoutExists(slot *Expr) {
	if x, ok := (*slot).(*Exists); ok {
		*slot = &Number{Pos: x.Pos, Value: 1}
		return
	}
	slots(*slot, withoutExists)
}

// keepAll does this to all expressions of the clause.
func (c *clause) keepAll() {
	if c.Pred != nil {
		withoutExists(&c.Pred)
	}
	Walk(c.Body, func(n Node) bool {
		if s, ok := n.(Stmt); ok {
			slots(s, withoutExists)
		}
		return true
	})
}
