package plylang

import "strconv"

// in types x in (a, b, …). Each of the constants is compared with x as by ==.
func (c *clause) in(x *In) *Type {
	if x.Pattern != nil {
		return c.inPattern(x)
	}
	t := c.value(x.X)
	for i, elem := range x.List {
		if c.like(&x.List[i], t, c.typed) == nil || t == nil {
			continue
		}
		if !c.isConstant(elem) {
			c.errorf(elem.Position(), "the list of in has constants only: write %s == %s || ...", brief(x.X), brief(elem))
			continue
		}
		eq := &Binary{Pos: x.Pos, Op: EQ, X: x.X, Y: elem}
		c.compared(eq, x.X.Type(), elem.Type())
		x.X, x.List[i] = eq.X, eq.Y
	}
	c.repeated(x)
	return S64
}

// inPattern types x in "pattern". What may stand in a pattern the code generator
// knows.
func (c *clause) inPattern(x *In) *Type {
	if t := c.value(x.X); t != nil && t.Display != DisplayCgroup {
		c.errorf(x.Pos, "only a cgroup is looked up by a pattern: write %s in (%s) to compare with text", brief(x.X), quote(short(x.Pattern.Value)))
	}
	return S64
}

// repeated warns of constants that are in a list already.
func (c *clause) repeated(x *In) {
	seen := map[string]Pos{}
	for _, elem := range x.List {
		key, ok := constantKey(elem)
		if !ok || c.hasParam(elem) {
			continue
		}
		if at, twice := seen[key]; twice {
			c.warnf(elem.Position(), "%s is in this list already, at %s", brief(elem), c.where(at))
			continue
		}
		seen[key] = elem.Position()
	}
}

// constantKey is equal for constants that are equal.
func constantKey(x Expr) (string, bool) {
	if s, ok := x.(*StringLit); ok {
		return s.Value, true
	}
	v, ok := constant(x)
	return strconv.FormatUint(v, 10), ok
}

// neverIn notes the constants of a list that x cannot have.
func (c *clause) neverIn(x *In, note func(Expr, string)) {
	if x.X.Type() == nil {
		return
	}
	for _, elem := range x.List {
		eq := &Binary{Pos: elem.Position(), Op: EQ, X: x.X, Y: elem}
		if msg := c.neverCompared(eq); msg != "" {
			note(elem, msg)
		}
	}
}
