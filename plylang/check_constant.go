package plylang

import (
	"fmt"
	"strings"
)

// Constants
//
// A name that is nothing else may be that of an enum's value. Which one is known
// when the types are: in data->newstate == TCP_SYN_SENT the other side says where
// to look. It is the one that an operator, an assignment, a key or a cast takes it
// together with. Where none has it, the kernel's enums do, if they agree.

// unknownT stands for the type of the other side where that is not known.
var unknownT = &Type{}

// isConstants says whether x is made of constants only, and has names of some.
func isConstants(x Expr) bool {
	named := false
	return onlyConstants(x, &named) && named
}

func onlyConstants(x Expr, named *bool) bool {
	switch x := x.(type) {
	case *Number:
		return true
	case *Name:
		*named = *named || x.pending
		return x.pending
	case *Unary:
		return x.Op != MUL && x.Op != AND && onlyConstants(x.X, named)
	case *Binary:
		return onlyConstants(x.X, named) && onlyConstants(x.Y, named)
	case *Cond:
		return onlyConstants(x.Then, named) && onlyConstants(x.Else, named)
	}
	return false
}

// pair types two sides that go together. What is made of constants takes them from
// the type of the other side, which is typed first.
func (c *clause) pair(x, y *Expr, typed func(*Expr) *Type) (a, b *Type) {
	switch constX, constY := isConstants(*x), isConstants(*y); {
	case constX && !constY:
		b = typed(y)
		return c.like(x, orUnknown(b), typed), b
	case constY && !constX:
		a = typed(x)
		return a, c.like(y, orUnknown(a), typed)
	}
	a = typed(x)
	return a, typed(y)
}

// orUnknown is the type of a side that something is wrong with, or that nothing is
// known of yet: no constant is missing then.
func orUnknown(t *Type) *Type {
	if t == nil {
		return unknownT
	}
	return t
}

// like types what goes together with values of type t; nil: with nothing.
func (c *clause) like(slot *Expr, t *Type, typed func(*Expr) *Type) *Type {
	if !isConstants(*slot) {
		return typed(slot)
	}
	outer := c.wanted
	c.wanted = t
	defer func() { c.wanted = outer }()
	return typed(slot)
}

// typed is value for a slot.
func (c *clause) typed(slot *Expr) *Type { return c.value(*slot) }

// constantName types a name that can be a constant only.
func (c *clause) constantName(x *Name) *Type {
	x.enumerator = nil
	var wanted *Enumeration
	if c.wanted != nil {
		wanted = c.wanted.Enum
	}
	if v, ok := wanted.Value(x.Name); ok {
		return x.stands(v, wanted)
	}
	found := c.env.Enumerators(x.Name)
	switch {
	case !c.known:
	case len(found) > 0 && oneValue(found, x.Name):
		v, _ := found[0].Value(x.Name)
		return x.stands(v, found[0])
	case len(found) > 0:
		c.errorf(x.Pos, "%s is %s: compare it with a value of one of them, or cast it", x.Name, eachValue(found, x.Name))
	case c.wanted != unknownT || x.Name == strings.ToLower(x.Name): // which few constants are
		c.unknownName(x, wanted)
	}
	return nil
}

// stands makes the name a constant.
func (x *Name) stands(value int64, e *Enumeration) *Type {
	x.enumerator = &Enumerator{x.Name, value}
	return NamedType(8, true, e)
}

func oneValue(list []*Enumeration, name string) bool {
	first, _ := list[0].Value(name)
	for _, e := range list {
		if v, _ := e.Value(name); v != first {
			return false
		}
	}
	return true
}

// eachValue lists the values of a name: "1 in enum a and 2 in enum b".
func eachValue(list []*Enumeration, name string) string {
	var parts []string
	for _, e := range list {
		v, _ := e.Value(name)
		parts = append(parts, fmt.Sprintf("%d in %s", v, e.What()))
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

// literals puts literals in the place of the names of constants.
func (c *clause) literals() {
	var put func(slot *Expr)
	put = func(slot *Expr) {
		if x, ok := (*slot).(*Name); ok && x.enumerator != nil {
			n := &Number{Pos: x.Pos, Value: uint64(x.enumerator.Value), Text: x.Name}
			n.SetType(x.Type())
			n.setConstant(n.Value, true)
			*slot = n
			return
		}
		slots(*slot, put)
	}
	if c.Pred != nil {
		put(&c.Pred)
	}
	var each func(s Stmt)
	each = func(s Stmt) {
		slots(s, put)
		inner(s, each)
	}
	each(c.Body)
}

// checkNumber warns of a number that is compared with values that have names:
// another kernel may have another number for the same thing.
func (c *clause) checkNumber(x Expr, with *Type) {
	n, ok := x.(*Number)
	if !ok || n.Value == 0 || c.params[x] || with == nil || with.Kind != Enum || with.Enum.Flags {
		return
	}
	name := with.Enum.NameOf(int64(n.Value))
	if !isIdentifier(name) {
		return
	}
	c.warnf(x.Position(), "%s is %s on this kernel, and may be something else on another one: write %s", n.Text, name, name)
}

// checkNumbers does so for all that x compares.
func (c *clause) checkNumbers(x Expr) {
	switch x := x.(type) {
	case *Binary:
		if opClasses[x.Op] == comparison {
			c.checkNumber(x.X, x.Y.Type())
			c.checkNumber(x.Y, x.X.Type())
		}
	case *In:
		for _, elem := range x.List {
			c.checkNumber(elem, x.X.Type())
		}
	}
}
