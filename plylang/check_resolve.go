package plylang

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// resolveStmt resolves the names in a statement and those in it.
func (c *clause) resolveStmt(s Stmt) {
	a, _ := s.(*Assign)
	_, isExprStmt := s.(*ExprStmt)
	slots(s, func(x *Expr) {
		switch {
		case a != nil && x == &a.LHS:
			c.resolveTarget(a.LHS)
		case a != nil && a.Method && c.noMethod(a):
			slots(a.X, c.resolveOperand)
		case a != nil || isExprStmt:
			c.resolve(x)
		default:
			c.resolveOperand(x)
		}
	})
	inner(s, c.resolveStmt)
}

// noMethod reports a method of a map that is no aggregation.
func (c *clause) noMethod(a *Assign) bool {
	name, lhs := firstName(a.X), brief(a.LHS)
	f := c.lookup(name)
	hint := foreign(name)
	switch {
	case f != nil && f.Role == Aggregation:
		return false
	case name == "delete":
		hint = ": write delete " + lhs
	case f != nil && f.Role == Action:
		hint = fmt.Sprintf(": write %s(%s)", f.Name, lhs)
	case f != nil:
		hint = fmt.Sprintf(": write %s = %s", lhs, brief(a.X))
	case hint == "":
		hint = c.didYouMean(name, c.aggregationNames)
	}
	c.errorf(a.X.Position(), "no aggregation named %q%s", name, hint)
	return true
}

func (c *clause) aggregationNames() []string {
	var names []string
	for _, name := range c.env.Names() {
		if f := c.env.Lookup(name); f != nil && f.Role == Aggregation {
			names = append(names, name)
		}
	}
	return names
}

// resolveTarget resolves the left side of an assignment.
func (c *clause) resolveTarget(x Expr) {
	switch x := x.(type) {
	case *Name:
		x.Local = c.locals[x.Name].Local
	default:
		slots(x, c.resolveOperand)
	}
}

// resolveOperand is resolve where no aggregation can be: what is named like one
// is a field in a "trace:" probe, as count() of a system call that reads.
func (c *clause) resolveOperand(slot *Expr) {
	if call, ok := (*slot).(*Call); ok && len(call.Args) == 0 {
		if f := c.lookup(call.Name); f != nil && f.Role == Aggregation {
			if m := c.bareField(&Name{Pos: call.Pos, Name: call.Name}); m != nil {
				*slot = m
				return
			}
		}
	}
	c.resolve(slot)
}

// resolve resolves the names in an expression. It puts another one in its
// position where the spelling says less than is meant.
func (c *clause) resolve(slot *Expr) {
	if call, ok := (*slot).(*Call); !ok || !c.unquoted(call) {
		slots(*slot, c.resolveOperand)
	}
	switch x := (*slot).(type) {
	case *Name:
		*slot = c.resolveName(x)
	case *Call:
		c.resolveCall(x)
	case *MapRef:
		*slot = c.resolveMapRef(x)
	case *Cast:
		*slot = boolCast(x)
	}
}

// unquoted reports a name that means nothing where a function takes literal
// text, as in reg(ip).
func (c *clause) unquoted(x *Call) bool {
	f := c.lookup(x.Name)
	for i, arg := range x.Args {
		name, ok := arg.(*Name)
		if !ok || f == nil || !c.known {
			continue
		}
		p := paramOf(f, i)
		if p == nil || !p.Const || p.Want != WantString || c.means(name.Name) {
			continue
		}
		c.errorf(name.Pos, "%s of %s() is text: write %s", p.Name, x.Name, quote(short(name.Name)))
		return true
	}
	return false
}

// means says whether a name is a variable, a map, a field or a built-in.
func (c *clause) means(name string) bool {
	_, stored := c.stored[name]
	_, field := c.field(name)
	return stored || field && isTrace(c.Spec) || c.locals[name] != nil || c.lookup(name) != nil
}

// resolveName finds what a name is: a local, a whole map, a built-in, or a
// field of the tracepoint.
func (c *clause) resolveName(x *Name) Expr {
	if l := c.locals[x.Name]; l != nil {
		x.Local = l.Local
		return x
	}
	if _, ok := c.stored[x.Name]; ok {
		return &MapRef{Pos: x.Pos, Name: x.Name}
	}
	f := c.lookup(x.Name)
	if f == nil || f.Role != Variable { // a field may be named like a function
		if m := c.bareField(x); m != nil {
			return m
		}
	}
	if f == nil {
		x.pending = true
		return x
	}
	if f.Role != Variable {
		c.notCalled(x, f)
		return x
	}
	x.Name, x.Func = f.Name, f
	return x
}

// notCalled reports a function without its arguments.
func (c *clause) notCalled(x *Name, f *Func) {
	field := ""
	if data, ok := c.field(x.Name); ok {
		field = fmt.Sprintf(", or %s->%s", data.Name, x.Name)
	}
	how := f.Signature()
	if need, _ := f.arity(); need == 0 {
		how = f.Name + "()"
	}
	if c.called(x) {
		c.errorf(x.Pos, "too few arguments: write %s%s", how, field)
		return
	}
	c.errorf(x.Pos, "%s is a function: write %s%s", x.Name, how, field)
}

// called says whether parentheses follow a name, which mean nothing after a
// variable.
func (c *clause) called(x *Name) bool {
	l := lexer{text: c.script.Src.Text, off: min(int(x.Pos)+len(x.Name), len(c.script.Src.Text)), quiet: true}
	return l.before(LPAREN)
}

// bareField turns the field of a "trace:" probe into data->field.
func (c *clause) bareField(x *Name) Expr {
	if !isTrace(c.Spec) {
		return nil
	}
	data, ok := c.field(x.Name)
	if !ok {
		return nil
	}
	return &Member{
		Pos:   x.Pos,
		X:     &Name{Pos: x.Pos, Name: data.Name, Func: data},
		Name:  x.Name,
		Arrow: true,
	}
}

// field says whether the event has a field of that name, in the variable data,
// or the function an argument, in args.
func (c *clause) field(name string) (data *Func, ok bool) {
	data, fields := c.fields()
	if fields != nil {
		_, ok = fields.Member(name)
	}
	return data, ok
}

func (c *clause) fields() (*Func, Fields) {
	for _, name := range []string{"data", "args"} {
		f := c.Scope.Lookup(name)
		if f != nil && f.Result != nil && f.Result.Elem != nil && f.Result.Elem.Struct != nil {
			return f, f.Result.Elem.Struct
		}
	}
	return nil, nil
}

// unknownName reports a name that means nothing, also none of the constants that
// were wanted.
func (c *clause) unknownName(x *Name, wanted *Enumeration) {
	if !c.known || c.noArgument(x) || c.elsewhere(x.Pos, x.Name) {
		return
	}
	if data, ok := c.field(x.Name); ok {
		c.errorf(x.Pos, "no variable or built-in named %q; write %s->%s", x.Name, data.Name, x.Name)
		return
	}
	if at, ok := c.assigned[x.Name]; ok {
		c.errorf(x.Pos, "no variable named %q in this probe: the one at %s belongs to another probe, use a map to pass it on", x.Name, c.where(at))
		return
	}
	if hint := foreign(x.Name); hint != "" {
		c.errorf(x.Pos, "there is no %q%s", x.Name, hint)
		return
	}
	if hint := cMacro(x.Name); hint != "" {
		c.errorf(x.Pos, "the kernel's types do not have %s%s", x.Name, hint)
		return
	}
	if wanted != nil {
		near := c.nearName(x.Name, wanted.Names())
		if near == "" {
			near = DidYouMeanLike(x.Name, slices.Values(wanted.Names())) // ESTABLISHED
		}
		c.errorf(x.Pos, "no variable or built-in is named %q, and %s has no such constant%s", x.Name, wanted.What(), near)
		return
	}
	near := cmp.Or(c.keptAtEntry(x.Name), c.nearName(x.Name, nil))
	if near == "" && isText(c.wanted) {
		near = ": text is written in quotes, as in " + quote(short(x.Name))
	}
	c.errorf(x.Pos, "no variable or built-in named %q%s", x.Name, near)
}

// nearName suggests names that are like a wrong one, fields as they are
// written.
func (c *clause) nearName(name string, constants []string) string {
	if c.errs.full() {
		return ""
	}
	names := append(c.namesInScope(), constants...)
	_, fields := c.fields()
	if fields != nil {
		names = append(names, fields.Names()...)
	}
	near := c.nearest(name, names)
	for i, n := range near {
		if data, ok := c.field(n); ok && !isTrace(c.Spec) && c.lookup(n) == nil && c.locals[n] == nil {
			near[i] = data.Name + "->" + n
		}
	}
	return didYouMean(near)
}

// maxSuggested is how many names of a script are compared with a wrong one.
const maxSuggested = 200

// nearest is the function nearest, with the other names of built-ins where no first name is
// near.
func (c *clause) nearest(name string, names []string) []string {
	if near := nearest(name, names); len(near) > 0 {
		return near
	}
	var aliases []string
	for _, n := range names {
		if f := c.lookup(n); f != nil {
			aliases = append(aliases, f.Aliases...)
		}
	}
	return nearest(name, aliases)
}

// namesInScope lists what a name could have been meant to be.
func (c *clause) namesInScope() []string {
	var names []string
	for _, l := range c.Locals[:min(len(c.Locals), maxSuggested)] {
		names = append(names, l.Name)
	}
	names = append(names, c.Scope.Names()...)
	return append(names, c.env.Names()...)
}

func (c *clause) unknownFunction(x *Call) {
	hint := foreign(x.Name)
	switch {
	case !c.known || c.elsewhere(x.Pos, x.Name):
	case hint != "":
		c.errorf(x.Pos, "there is no %s()%s", x.Name, hint)
	default:
		near := func() []string { return c.nearest(x.Name, c.namesInScope()) }
		c.errorf(x.Pos, "no function named %q%s", x.Name, c.didYouMean(x.Name, near))
	}
}

func (c *clause) resolveCall(x *Call) {
	f := c.lookup(x.Name)
	switch {
	case f == nil:
		c.unknownFunction(x)
	case f.Role == Variable && f.Called != nil:
		x.Name, x.Func = f.Called.Name, f.Called
	case f.Role == Variable:
		c.errorf(x.Pos, "%s is a variable and takes no arguments: write %s", x.Name, f.Name)
	default:
		x.Name, x.Func = f.Name, f
	}
}

// resolveMapRef finds what looks like a map and is none: a parameter such as
// $1, or an element of an array in a variable.
func (c *clause) resolveMapRef(x *MapRef) Expr {
	if _, ok := c.stored[x.Name]; ok {
		return x
	}
	switch {
	case len(x.Keys) == 0 && strings.HasPrefix(x.Name, "$"):
		return c.param(x)
	case len(x.Keys) == 1 && !hasSigil(x.Name) && c.isVariable(x.Name):
		return &Index{Pos: x.Pos, X: c.resolveName(&Name{Pos: x.Pos, Name: x.Name}), I: x.Keys[0]}
	}
	return x
}

func (c *clause) isVariable(name string) bool {
	f := c.lookup(name)
	return c.locals[name] != nil || f != nil && f.Role == Variable
}

// param replaces $1, $NAME and $target by their text.
func (c *clause) param(x *MapRef) Expr {
	text, ok := c.env.Param(x.Name[1:])
	if !ok {
		return x
	}
	value := paramValue(x.Pos, text)
	c.params[value] = true
	return value
}

// paramValue is a number where the text is one, else a string.
func paramValue(pos Pos, text string) Expr {
	if v, err := strconv.ParseInt(text, 0, 64); err == nil {
		return &Number{Pos: pos, Value: uint64(v), Text: text}
	}
	if v, err := strconv.ParseUint(text, 0, 64); err == nil {
		return &Number{Pos: pos, Value: v, Text: text}
	}
	return &StringLit{Pos: pos, Value: text}
}

// boolCast spells out what a cast to bool means.
func boolCast(x *Cast) Expr {
	if to := ctypeName(x.To); to != "bool" && to != "_Bool" {
		return x
	}
	return &Unary{Pos: x.Pos, Op: NOT, X: &Unary{Pos: x.Pos, Op: NOT, X: x.X}}
}
