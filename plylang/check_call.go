package plylang

import (
	"errors"
	"strings"
)

// call types a call in an expression.
func (c *clause) call(x *Call) *Type {
	if x.Func != nil && x.Func.Role == Aggregation {
		c.noMap(x)
		return nil
	}
	ok := c.arguments(x)
	switch {
	case x.Func == nil:
		return nil
	case !ok:
		return nil
	case x.Func.Infer != nil:
		return c.infer(x, x.Func, x.Args)
	case x.Func.Result == nil:
		return VoidT
	}
	return x.Func.Result
}

// noMap reports an aggregation that feeds no map, or gets the map as its
// argument.
func (c *clause) noMap(x *Call) {
	if m := mapArgument(x); m != nil {
		for _, arg := range x.Args[1:] {
			if isConstants(arg) {
				c.expr(arg)
			}
		}
		c.errorf(x.Pos, "%s() goes into a map: write %s = %s", x.Name, brief(m), x.Func.Signature())
		return
	}
	for _, arg := range x.Args {
		c.expr(arg)
	}
	c.errorf(x.Pos, "%s() goes into a map: write @x = %s", x.Name, brief(x))
}

// mapArgument is the map that a call begins with, if any.
func mapArgument(x *Call) *MapRef {
	if len(x.Args) == 0 {
		return nil
	}
	m, _ := x.Args[0].(*MapRef)
	return m
}

// infer asks a built-in for its result and reports what it finds fault with.
func (c *clause) infer(x Expr, f *Func, args []Expr) *Type {
	t, err := f.Infer(args)
	var at *ArgError
	switch {
	case err == nil:
		return t
	case errors.As(err, &at) && at.Arg >= 0 && at.Arg < len(args):
		c.errorf(args[at.Arg].Position(), "%s", at.Msg)
	default:
		c.missing(x.Position(), err)
	}
	return nil
}

// missing reports an error that may be what this kernel lacks.
func (c *clause) missing(at Pos, err error) {
	e := newError(c.script.Src, at, "%s", err)
	e.Missing = errors.Is(err, ErrMissing)
	c.errs.add(e)
}

// arguments types the arguments of a call and says whether all of them are
// known and right.
func (c *clause) arguments(x *Call) bool {
	if x.Func == nil { // which was reported: what it does with a map nobody knows
		for _, arg := range x.Args {
			if ref, ok := arg.(*MapRef); !ok || len(ref.Keys) > 0 {
				c.expr(arg)
			}
		}
		return false
	}
	ok := c.countArguments(x)
	for i := range x.Args {
		p := paramOf(x.Func, i)
		if p == nil {
			c.expr(x.Args[i])
			continue
		}
		ok = c.argument(x, i, p) && ok
	}
	if format := formatParam(x.Func); ok && format >= 0 {
		return c.checkFormat(x, format)
	}
	return ok
}

func paramOf(f *Func, i int) *Param {
	switch n := len(f.Params); {
	case i < n:
		return &f.Params[i]
	case n > 0 && f.Params[n-1].Variadic:
		return &f.Params[n-1]
	}
	return nil
}

func formatParam(f *Func) int {
	for i, p := range f.Params {
		if p.Want == WantFormat {
			return i
		}
	}
	return -1
}

// arity is how many arguments a function needs, and how many it takes at most:
// -1 is any number.
func (f *Func) arity() (need, most int) {
	most = len(f.Params)
	for i, p := range f.Params {
		if p.Variadic {
			most = -1
		} else if !p.Optional && need == i {
			need = i + 1
		}
	}
	return need, most
}

func (c *clause) countArguments(x *Call) bool {
	need, most := x.Func.arity()
	n := len(x.Args)
	switch {
	case n < need:
		c.errorf(x.Pos, "too few arguments: write %s", x.Func.Signature())
	case most == 0 && n > 0:
		c.errorf(x.Args[0].Position(), "%s() takes no arguments: write %s()", x.Name, x.Name)
	case most >= 0 && n > most:
		c.errorf(x.Args[most].Position(), "too many arguments: write %s", x.Func.Signature())
	default:
		return true
	}
	return false
}

// Signature is how the built-in is written: "str(p[, n])"; a variable is its
// name alone.
func (f *Func) Signature() string {
	if f.Role == Variable {
		return f.Name
	}
	var b strings.Builder
	b.WriteString(f.Name + "(")
	open := 0
	for i, p := range f.Params {
		if p.Optional {
			b.WriteString("[")
			open++
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.Name)
		if p.Variadic {
			b.WriteString("...")
		}
	}
	return b.String() + strings.Repeat("]", open) + ")"
}

// A class is what an argument may be.
type class struct {
	what string // in messages: "needs a number"
	fits func(*Type) bool
}

// classes is the table of the classes whose values are typed like any other.
var classes = map[Want]class{
	WantInt:     {"a number", func(t *Type) bool { return t.number() }},
	WantPlain:   {"a plain number", func(t *Type) bool { return t.Integer() && t.Unit == Plain || t.Kind == Pointer }},
	WantAddress: {"an address", func(t *Type) bool { return t.Kind == Pointer || t.Integer() && t.Unit == Plain }},
	WantString:  {"a string", func(t *Type) bool { return t.Kind == String }},
	WantValue:   {"a value", func(t *Type) bool { return t.Kind != Void }},
}

var printableClass = class{"a value", func(t *Type) bool { return t.Kind != Void && t.Kind != Struct }}

// argument types an argument and says whether it is right.
func (c *clause) argument(call *Call, i int, p *Param) bool {
	slot := &call.Args[i]
	switch p.Want {
	case WantMap:
		return c.wholeMap(call, *slot)
	case WantFormat:
		return c.formatArgument(call, *slot)
	case WantPrint:
		if ref, ok := (*slot).(*MapRef); ok && len(ref.Keys) == 0 {
			return c.printedMap(ref)
		}
		return c.fits(call, slot, p, printableClass)
	}
	return c.fits(call, slot, p, classes[p.Want])
}

func (c *clause) fits(call *Call, slot *Expr, p *Param, want class) bool {
	typed := c.decayed
	if p.Want == WantValue || p.Want == WantPrint {
		typed = func(slot *Expr) *Type { return c.value(*slot) }
	}
	t := typed(slot)
	switch {
	case t == nil:
		return false
	case !want.fits(t):
		hint := ""
		if p.Want == WantString && nameHint(t) != "" {
			hint = ": " + nameHint(t)
		}
		c.errorf((*slot).Position(), "%s of %s() must be %s, and this is %s%s", p.Name, call.Name, want.what, describe(t), hint)
		return false
	case p.Const && !c.isConstant(*slot):
		c.errorf((*slot).Position(), "%s of %s() must be a constant", p.Name, call.Name)
		return false
	}
	return true
}

func (c *clause) isConstant(x Expr) bool {
	if _, ok := x.(*StringLit); ok {
		return true
	}
	_, ok := constant(x)
	return ok
}

// wholeMap checks an argument that is a map and not one of its values.
func (c *clause) wholeMap(call *Call, x Expr) bool {
	ref, ok := x.(*MapRef)
	switch {
	case !ok:
		c.expr(x)
		c.errorf(x.Position(), "%s() needs a map, as in %s(@x)", call.Name, call.Name)
		return false
	case len(ref.Keys) > 0:
		c.keysOf(ref)
		c.errorf(x.Position(), "%s() takes the whole map: write %s(%s)", call.Name, call.Name, ref.Name)
		return false
	}
	ref.SetType(VoidT)
	return true
}

// printedMap types a map in print(): it is printed whole, but for a table that
// is one cell, which has a value.
func (c *clause) printedMap(ref *MapRef) bool {
	m := c.maps[ref.Name]
	ref.SetType(VoidT)
	if m.Agg == nil && m.keyed && len(m.keys) == 0 {
		ref.SetType(c.read(m.value))
	}
	return true
}
