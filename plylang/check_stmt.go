package plylang

import "fmt"

// stmt types a statement and those in it.
func (c *clause) stmt(s Stmt) {
	switch s := s.(type) {
	case *Block:
		for _, t := range s.Stmts {
			c.stmt(t)
		}
	case *If:
		c.condition(s.Cond, "condition")
		c.stmt(s.Then)
		if s.Else != nil {
			c.stmt(s.Else)
		}
	case *Unroll:
		c.expr(s.Count)
		c.stmt(s.Body)
	case *Break, *Continue, *Return:
	case *Delete:
		c.deleteStmt(s)
	case *Assign:
		c.assign(s)
	case *ExprStmt:
		c.exprStmt(s)
	default:
		panic(fmt.Sprintf("plylang: checking %T", s))
	}
}

func (c *clause) deleteStmt(s *Delete) {
	if m := c.maps[s.Map.Name]; m.keyed && len(s.Map.Keys) == 0 && len(m.keys) > 0 {
		c.errorf(s.Map.Pos, "%s has keys: delete %s[...] forgets one, clear(%s) all", m.Name, m.Name, m.Name)
		return
	}
	c.keysOf(s.Map)
	s.Map.SetType(c.read(c.maps[s.Map.Name].value))
}

// exprStmt types an expression that is evaluated for its effect.
func (c *clause) exprStmt(s *ExprStmt) {
	if m, name := c.bareMethod(s); m != nil {
		c.errorf(s.X.Position(), "an aggregation has parentheses: write %s.%s() or %s = %s()", brief(m), name, brief(m), name)
		return
	}
	t := c.expr(s.X)
	call, isCall := s.X.(*Call)
	if t == nil || isCall && call.Func != nil && call.Func.Role == Action {
		return
	}
	c.warnf(s.Pos, "the value of this expression is not used")
}

// bareMethod is the map and the aggregation of a statement such as @x.count, which
// lacks its parentheses.
func (c *clause) bareMethod(s *ExprStmt) (*MapRef, string) {
	x, ok := s.X.(*Member)
	if !ok || x.Arrow {
		return nil, ""
	}
	m, ok := x.X.(*MapRef)
	if f := c.lookup(x.Name); !ok || f == nil || f.Role != Aggregation {
		return nil, ""
	}
	return m, x.Name
}

// assign types an assignment to a map or a local.
func (c *clause) assign(s *Assign) {
	switch lhs := s.LHS.(type) {
	case *MapRef:
		c.assignMap(s, lhs)
	case *Name:
		cell := c.locals[lhs.Name].cell
		c.store(s, cell, c.decayed)
		lhs.SetType(c.read(cell))
	default:
		panic(fmt.Sprintf("plylang: assignment to %T", lhs))
	}
}

func (c *clause) assignMap(s *Assign, lhs *MapRef) {
	m := c.maps[lhs.Name]
	c.keysOf(lhs)
	call := aggregation(s)
	switch {
	case call != nil:
		c.feed(m, call)
	case m.Agg != nil: // reported already, unless it was not known to be a constant
		if s.X != nil && c.value(s.X) != nil && isConstants(s.X) {
			c.mixed(m, s)
		}
	default:
		c.store(s, m.value, c.copied)
	}
	lhs.SetType(c.read(m.value))
}

// copied types what a table holds a copy of: the bytes of an array, no matter
// what they are.
func (c *clause) copied(slot *Expr) *Type {
	t := c.value(*slot)
	if t != nil && t.Kind == Array {
		return &Type{Kind: Bytes, Size: t.Size, Display: t.Display}
	}
	return t
}

// store types a plain assignment, of the value that typed finds the type of.
func (c *clause) store(s *Assign, to *cell, typed func(*Expr) *Type) {
	right := sided{nil, Literal}
	pos := s.LHS.Position()
	if s.X != nil {
		right = sided{s.X, c.like(&s.X, c.read(to), typed)}
		right.x = s.X
		pos = s.X.Position()
	}
	switch op, isCompound := compound[s.Op]; {
	case right.t == nil:
	case right.t.Kind == Struct:
		c.errorf(pos, "a %s cannot be stored: store some of its members", structName(right.t))
	case isCompound:
		c.storeCompound(s, op, to, right)
	default:
		c.put(to, right.t, pos)
	}
}

// storeCompound types x op= y. When nothing is known of x, it is like y.
func (c *clause) storeCompound(s *Assign, op Token, to *cell, right sided) {
	before := c.read(to)
	if before == nil {
		if right.t.number() {
			c.put(to, right.t, s.LHS.Position())
		}
		return
	}
	after := c.operate(s.Pos, op, sided{nil, before}, right)
	if after == nil {
		c.put(to, before, s.LHS.Position()) // what was reported changes nothing
		return
	}
	if before.Unit != Plain && after.Unit != before.Unit {
		c.unitLost(s, to, before, after)
		return
	}
	c.put(to, after, s.LHS.Position())
}

// unitLost reports a compound assignment that would change the unit of what it
// changes.
func (c *clause) unitLost(s *Assign, to *cell, before, after *Type) {
	hint := "store the result under another name"
	if after.Unit == Plain {
		hint = "scale where the value is used"
	}
	c.errorf(s.Pos, "%s holds %ss, and %v makes %s of one: %s", to.name, unitNames[before.Unit], s.Op, describe(after), hint)
}

// feed types an aggregation.
func (c *clause) feed(m *mapState, call *Call) {
	if !c.arguments(call) || m.Agg == nil || call.Name != m.Agg.Name {
		return
	}
	call.SetType(VoidT)
	if call.Func.Infer != nil {
		c.infer(call, call.Func, call.Args)
	}
	c.sameConstants(m, call)
	c.boundUnits(call)
	if len(call.Args) > 0 {
		c.put(m.value, fed(call.Args[0].Type()), call.Args[0].Position())
	}
}

// boundUnits compares the unit of what an aggregation is fed with and those of
// the bounds that it is given.
func (c *clause) boundUnits(call *Call) {
	for i, x := range call.Args {
		p := paramOf(call.Func, i)
		v, _ := constant(x)
		if p == nil || !p.LikeX || v == 0 {
			continue
		}
		switch fed, bound := call.Args[0].Type().Unit, x.Type().Unit; {
		case fed == Duration && bound == Plain:
			c.warnf(x.Position(), "%s of %s() is taken as nanoseconds, because %s is a duration: give it a unit, as in 5ms", p.Name, call.Name, brief(call.Args[0]))
		case fed == Plain && bound == Duration:
			c.warnf(x.Position(), "%s of %s() is a duration, and %s a plain number", p.Name, call.Name, brief(call.Args[0]))
		}
	}
}

// fed is the type of what an aggregation is fed with: unlike a table's values,
// narrow unsigned numbers stay unsigned, because a sum of them is. A sum of
// enums is no enum.
func fed(t *Type) *Type {
	t = t.asInt()
	if !t.Integer() || t.Signed || t.Size == 8 {
		return t
	}
	u := *t
	u.Size = 8
	return &u
}

// sameConstants compares the constant arguments of an aggregation with those
// of the map's first use. One that is left out is 0.
func (c *clause) sameConstants(m *mapState, call *Call) {
	for i, p := range call.Func.Params {
		if !p.Const {
			continue
		}
		a, hereAt, okA := argumentAt(call.Args, i, call.Pos)
		b, thereAt, okB := argumentAt(m.Args, i, m.agg)
		if okA && okB && a != b {
			c.errorf(hereAt, "%s of %s() is %d here but %d at %s: it must be the same for one map", p.Name, call.Name, a, b, c.where(thereAt))
		}
	}
}

// argumentAt is the value of a constant argument, and where it is: at the
// call where it is left out.
func argumentAt(args []Expr, i int, call Pos) (value int64, at Pos, ok bool) {
	if i >= len(args) {
		return 0, call, true
	}
	v, ok := constant(args[i])
	return int64(v), args[i].Position(), ok
}

func argCount(n int) string {
	if n == 1 {
		return "1 argument"
	}
	return fmt.Sprintf("%d arguments", n)
}
