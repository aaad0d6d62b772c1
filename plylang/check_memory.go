package plylang

// member types x.name and x->name.
func (c *clause) member(x *Member) *Type {
	t := c.holder(x.X)
	if t == nil {
		return nil
	}
	s := t
	if t.Kind == Pointer || t.Kind == Array {
		s = t.Elem
	}
	switch {
	case s == nil || s.Kind != Struct:
		c.errorf(x.Pos, "%s has no members%s", describe(t), ifNumber(t, ": cast it to a pointer to a struct"))
		return nil
	case x.Arrow && t.Kind == Struct:
		holder := c.written(x.X)
		c.errorf(x.Pos, "%s is no pointer: write %s.%s", holder, holder, x.Name)
	case !x.Arrow && t.Kind != Struct:
		holder := c.written(x.X)
		c.errorf(x.Pos, "%s is a pointer: write %s->%s", holder, holder, x.Name)
	}
	f, ok := s.Struct.Member(x.Name)
	if !ok {
		if why := refused(s.Struct, x.Name); why != "" {
			c.errorf(x.Pos, "%s", why)
		} else if !c.absent {
			c.errs.add(newMissingMember(c.script.Src, x.Pos, s.Struct, x.Name, c.whereMember(s.Struct, x.Name)))
		}
		return nil
	}
	x.Field = f
	return inMemoryOf(f.Type, t)
}

// holder types what has a member.
func (c *clause) holder(x Expr) *Type {
	n, ok := x.(*Name)
	if !ok {
		return c.expr(x)
	}
	t := c.name(n)
	n.SetType(t)
	return t
}

// Refuser is implemented by Fields that have members which cannot be had: Refused says
// why, in a sentence; "" for all others.
type Refuser interface {
	Refused(name string) string
}

func refused(f Fields, name string) string {
	if r, ok := f.(Refuser); ok {
		return r.Refused(name)
	}
	return ""
}

// written is an expression in a message; a variable has the name that the
// script gives it.
func (c *clause) written(x Expr) string {
	if n, ok := x.(*Name); ok {
		if rest := c.script.Src.Text[n.Pos:]; nameLen(rest) > 0 {
			return short(rest[:nameLen(rest)])
		}
	}
	return brief(x)
}

// inMemoryOf is t as it lies in the same memory, the kernel's or a user's, as
// what holds it.
func inMemoryOf(t, holder *Type) *Type {
	return withUser(t, holder.User)
}

// index types x[i].
func (c *clause) index(x *Index) *Type {
	t := c.value(x.X)
	i := c.scalar(&x.I)
	switch {
	case t == nil:
		return nil
	case t.Kind != Array && t.Kind != Pointer:
		hint := ifNumber(t, ": cast it, as in ((u64 *)p)[0]")
		if isText(t) {
			hint = ": str(s, n) is its beginning"
		}
		c.errorf(x.Pos, "%s has no elements%s", describe(t), hint)
		return nil
	case i != nil && (!i.Integer() || i.Unit != Plain):
		c.errorf(x.I.Position(), "an index is a plain number, and this is %s", describe(i))
		return nil
	}
	if n, ok := constant(x.I); ok && t.Kind == Array && t.Len > 0 && n >= uint64(t.Len) {
		c.errorf(x.I.Position(), "index %d is outside of the array, which has %d elements", int64(n), t.Len)
	}
	return c.pointedTo(x, t)
}

// deref types *x.
func (c *clause) deref(x *Unary) *Type {
	t := c.value(x.X)
	switch {
	case t == nil:
		return nil
	case t.Kind != Pointer && t.Kind != Array:
		c.errorf(x.Pos, "%s is no pointer%s", describe(t), ifNumber(t, ": cast it, as in *(u64 *)"+short(operand(x.X))))
		return nil
	}
	return c.pointedTo(x, t)
}

// ifNumber is a hint that helps with what may be an address only.
func ifNumber(t *Type, hint string) string {
	if !t.number() {
		return ""
	}
	return hint
}

// pointedTo is the type of what p points to.
func (c *clause) pointedTo(x Expr, p *Type) *Type {
	if p.Elem == nil || p.Elem.Kind == Void || p.Elem.Kind == Invalid {
		c.errorf(x.Position(), "nothing is known of what this pointer points to: cast it, as in (u64 *)p")
		return nil
	}
	return inMemoryOf(p.Elem, p)
}

// operand prints x as the operand of a cast.
func operand(x Expr) string {
	switch x.(type) {
	case *Binary, *In, *Cond:
		return "(" + x.String() + ")"
	}
	return x.String()
}
