package plylang

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// value types an expression whose value is wanted. It returns nil when the
// type is not known, and when something was reported.
func (c *clause) value(x Expr) *Type {
	t := c.expr(x)
	if t == nil || t.Kind != Void {
		return t
	}
	if call, ok := x.(*Call); ok {
		c.errorf(x.Position(), "%s() has no value", call.Name)
	}
	return nil
}

// scalar types an expression that must be a number or an address.
func (c *clause) scalar(slot *Expr) *Type {
	t := c.decayed(slot)
	if t == nil || t.number() {
		return t
	}
	c.errorf((*slot).Position(), "a number is needed here, and this is %s", describe(t))
	return nil
}

// condition types an expression that is true or false.
func (c *clause) condition(x Expr, what string) {
	t := c.value(x)
	if t == nil {
		return
	}
	if !truthy(t) {
		c.errorf(x.Position(), "%s is neither true nor false", describe(t))
		return
	}
	if what == "" || c.hasParam(x) {
		return
	}
	if v, ok := c.truth(x); ok {
		c.warnf(x.Position(), "this %s is always %v", what, v)
	}
}

func truthy(t *Type) bool { return t.number() || t.Kind == String }

// truth says whether an expression is always true, or always false. One side
// can tell of && and ||, and a constant of | and &.
func (c *clause) truth(x Expr) (truth, ok bool) {
	if b, is := x.(*Binary); is && (b.Op == LAND || b.Op == LOR) {
		left, okLeft := c.truth(b.X)
		right, okRight := c.truth(b.Y)
		telling := b.Op == LOR
		if okLeft && left == telling || okRight && right == telling {
			return telling, true
		}
	}
	if s, is := x.(*StringLit); is {
		return s.Value != "", true
	}
	if b, is := x.(*Binary); is {
		if v, ok := b.constantSide(); ok && (b.Op == OR && v != 0 || b.Op == AND && v == 0) {
			return b.Op == OR, true
		}
	}
	v, ok := constant(x)
	return v != 0, ok
}

// constantSide is the side of an operator that is a constant.
func (x *Binary) constantSide() (uint64, bool) {
	if v, ok := constant(x.Y); ok {
		return v, true
	}
	return constant(x.X)
}

// hasParam says whether x has a $1 in it: then it is a constant this time only.
func (c *clause) hasParam(x Expr) bool {
	found := false
	if len(c.params) > 0 {
		Inspect(x, func(y Expr) { found = found || c.params[y] })
	}
	return found
}

// decayed types an expression that is computed with.
func (c *clause) decayed(slot *Expr) *Type { return decay(slot, c.value(*slot)) }

// decay makes an array the address of its first element, and the tree says so.
func decay(slot *Expr, t *Type) *Type {
	if t == nil || t.Kind != Array {
		return t
	}
	address := &Unary{Pos: (*slot).Position(), Op: AND, X: *slot}
	address.SetType(addressOfArray(t))
	*slot = address
	return address.Type()
}

func addressOfArray(t *Type) *Type {
	return &Type{Kind: Pointer, Size: 8, Elem: t.Elem, User: t.User}
}

// expr types an expression.
func (c *clause) expr(x Expr) *Type {
	t := c.typeOf(x)
	x.SetType(t)
	if t != nil {
		x.setConstant(fold(x))
	} else {
		x.setConstant(0, false)
	}
	return t
}

func (c *clause) typeOf(x Expr) *Type {
	switch x := x.(type) {
	case *Number:
		return x.literalType()
	case *StringLit:
		return StringType(len(x.Value) + 1)
	case *Name:
		return c.wholeName(x)
	case *Call:
		return c.call(x)
	case *MapRef:
		return c.mapValue(x)
	case *Unary:
		return c.unary(x)
	case *Binary:
		return c.binary(x)
	case *In:
		return c.in(x)
	case *Cond:
		return c.cond(x)
	case *Cast:
		return c.cast(x)
	case *Member:
		return c.member(x)
	case *Index:
		return c.index(x)
	case *Tuple:
		return c.tuple(x)
	default:
		panic(fmt.Sprintf("plylang: type of %T", x))
	}
}

// literalType is signed, unless the literal needs the 64th bit.
func (x *Number) literalType() *Type {
	switch {
	case x.Unit == Duration:
		return DurationT
	case x.Value == 0:
		return zeroT
	case int64(x.Value) > 0:
		return Literal
	case x.Text != "" && x.Text[0] == '-':
		return S64
	}
	return U64
}

func (c *clause) name(x *Name) *Type {
	switch {
	case x.Local != nil:
		return c.read(c.locals[x.Name].cell)
	case x.pending:
		return c.constantName(x)
	case x.Func == nil:
		return nil
	case x.Func.Infer != nil:
		return c.infer(x, x.Func, nil)
	}
	return x.Func.Result
}

// wholeName types a name that is no holder of a member.
func (c *clause) wholeName(x *Name) *Type {
	t := c.name(x)
	if t == nil || x.Func == nil || !x.Func.OnlyMembers {
		return t
	}
	written, of := c.written(x), t.Elem.Struct
	if names := of.Names(); len(names) > 0 {
		c.errorf(x.Pos, "%s is no value: write %s->%s, or another of its members", written, written, names[0])
	} else {
		c.errorf(x.Pos, "%s is no value, and %s has no members that are", written, of.Name())
	}
	return nil
}

// mapValue types the value of a map at a key.
func (c *clause) mapValue(x *MapRef) *Type {
	m := c.maps[x.Name]
	c.keysOf(x)
	if m.Agg != nil {
		c.errorf(x.Pos, "%s is fed by %s() at %s and cannot be read in a script: use print(%s), or a second map", m.Name, m.Agg.Name, c.where(m.agg), m.Name)
		return nil
	}
	return c.read(m.value)
}

func (c *clause) tuple(x *Tuple) *Type {
	for _, e := range x.Elems {
		c.expr(e)
	}
	c.errorf(x.Pos, "several values in brackets are the key of a map, and nothing else: write @x[a, b]")
	return nil
}

// cond types x ? a : b, which is what both can be.
func (c *clause) cond(x *Cond) *Type {
	c.condition(x.X, "condition")
	a, b := c.pair(&x.Then, &x.Else, c.typed)
	if a == nil || b == nil {
		return nil
	}
	if a.Kind == Array || b.Kind == Array {
		c.errorf(x.Pos, "an array cannot be chosen: use if and else")
		return nil
	}
	if a.Kind == Struct || b.Kind == Struct {
		c.errorf(x.Pos, "a struct cannot be chosen: choose between pointers, or between members")
		return nil
	}
	t, ok := join(a, b)
	if !ok {
		c.errorf(x.Pos, "one of the two values is %s, the other %s", describe(a), describe(b))
		return nil
	}
	return t
}

// cast types (To)x.
func (c *clause) cast(x *Cast) *Type {
	to, err := castType(x.To, c.env)
	from := c.like(&x.X, to, c.decayed)
	switch {
	case errors.Is(err, ErrMissing):
		c.missing(x.Pos, err)
		return nil
	case err != nil:
		c.errorf(x.Pos, "%s: use an argument or a member that points to the one you mean", err)
		return nil
	case to == nil:
		c.unknownType(x)
		return nil
	case from == nil:
		return to
	case !to.number():
		c.errorf(x.Pos, "a value can be cast to an integer or a pointer, not to a %s: write (%s *)", x.To, x.To)
		return nil
	case !from.number():
		c.errorf(x.X.Position(), "%s cannot be cast", describe(from))
		return nil
	}
	return withUser(ordered(to, from), from.User)
}

// ordered is the type to of a cast value that may be known to be in host order
// although its memory is not, which it stays where all its bytes do.
func ordered(to, from *Type) *Type {
	if from.Net == 0 || to.Net != 0 || to.Size < int(from.Net) || !to.Integer() {
		return to
	}
	t := *to
	t.Net = from.Net
	return &t
}

func (c *clause) unknownType(x *Cast) {
	name := strings.TrimRight(ctypeName(x.To), " *")
	hint := DidYouMean(name, slices.Sorted(maps.Keys(cIntegers)))
	for _, keyword := range []string{"struct ", "union ", "enum "} {
		if t, _ := c.env.TypeNamed(keyword + name); t != nil && !strings.Contains(name, " ") {
			hint = "; did you mean \"" + keyword + name + "\"?"
		}
	}
	if t := IntegerNamed("__" + name); t != nil {
		hint = fmt.Sprintf("; did you mean %q?", "__"+name)
	}
	c.errorf(x.Pos, "this kernel has no type named %q%s", name, hint)
}

// withUser says of an address that it is one in user memory.
func withUser(t *Type, user bool) *Type {
	if t == nil || !user || t.User || t.Integer() && t.Size < 8 {
		return t
	}
	u := *t
	u.User = true
	return &u
}
