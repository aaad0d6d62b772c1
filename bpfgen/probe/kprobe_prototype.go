package probe

import (
	"fmt"
	"slices"
	"strings"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// byPrototype divides s so that all functions of a scope declare what the
// clause uses in the same way: the members of args, or the result. whole says
// that the sites are where functions begin or return.
func byPrototype(r *Resolver, s *Scope, whole bool) []*Scope {
	if s.provider.returns && s.wants("func") {
		s.tells = []kernel.Feature{kernel.FuncIP}
	}
	protos := make([]*prototype, len(s.sites))
	for i, at := range s.sites {
		protos[i] = s.prototype(r, at)
	}
	if s.provider.returns && s.wants(retvalRow.Name) && !slices.ContainsFunc(protos, (*prototype).mayReturn) {
		s.notes = append(s.notes, fmt.Sprintf("%s returns nothing: retval is what a register happens to hold", s.symbol()))
	}
	var out []*Scope
	for _, group := range alike(protos, func(p *prototype) string { return p.key(s) }) {
		proto, one := group[0], *s
		one.sites = nil
		for i, p := range group {
			one.sites = append(one.sites, p.site)
			if i > 0 {
				proto.others = append(proto.others, p.function)
			}
		}
		one.vars = one.functionVars(r, proto, whole)
		out = append(out, &one)
	}
	return out
}

// A prototype is what BTF knows of a function; it implements plylang.Fields
// with the parameters as members, whose offset is their number.
type prototype struct {
	site     site
	function string
	others   []string // functions that declare the same, as far as the clause sees
	params   []plylang.Field
	result   *plylang.Type // nil: not known
	declared *ctype.Func   // nil: not known

	// later declares the parameters where the clause uses none, for messages
	// about names that are none; nil: they are declared.
	later func()
}

// prototype is what a function declares, which is looked up when the clause
// uses it. A function whose declaration is not known has no named arguments.
func (s *Scope) prototype(r *Resolver, at site) *prototype {
	p := &prototype{site: at, function: at.Site.(object.Function).Symbol}
	switch {
	case p.function == "":
	case s.wants("args", "retval"):
		p.declare(r)
	default:
		p.later = func() { p.declare(r) }
	}
	return p
}

// declare looks up the declaration of the function, if the kernel has it.
func (p *prototype) declare(r *Resolver) {
	name, _, _ := strings.Cut(p.function, ".")
	f := ctype.FuncNamed(r.kernel, name)
	if f == nil {
		return
	}
	p.result, p.declared = f.Result, f
	for i, param := range f.Params {
		if i > maxArg || !param.OneWord {
			break
		}
		if param.Type.Scalar() {
			p.params = append(p.params, plylang.Field{Name: param.Name, Type: param.Type, Offset: i})
		}
	}
}

// mayReturn says whether the function has a result, as far as is known.
func (p *prototype) mayReturn() bool { return p.declared == nil || !p.declared.ReturnsNothing() }

func (p *prototype) all() []plylang.Field {
	if p.later != nil {
		p.later()
		p.later = nil
	}
	return p.params
}

// key spells out what the clause sees of p.
func (p *prototype) key(s *Scope) string {
	var b strings.Builder
	if s.wants("retval") && p.result != nil {
		fmt.Fprint(&b, ctype.Key(p.result), ";")
	}
	if !s.wants("args") {
		return b.String()
	}
	for _, name := range sortedKeys(s.uses.Members) {
		if f, ok := p.Member(name); ok {
			fmt.Fprint(&b, f.Offset, name, " ", ctype.Key(f.Type), ";")
		}
	}
	return b.String()
}

// Name names the function for messages.
func (p *prototype) Name() string { return "function " + p.function }

// Functions names all functions that it is the declaration of.
func (p *prototype) Functions() []string { return append([]string{p.function}, p.others...) }

// Member returns a parameter by name.
func (p *prototype) Member(name string) (plylang.Field, bool) {
	for _, f := range p.all() {
		if f.Name == name {
			return f, true
		}
	}
	return plylang.Field{}, false
}

// Names lists the parameters in order.
func (p *prototype) Names() []string {
	var names []string
	for _, f := range p.all() {
		names = append(names, f.Name)
	}
	return names
}

// Refused says why a parameter cannot be had.
func (p *prototype) Refused(name string) string {
	p.all()
	switch {
	case p.function == "":
		return ""
	case p.declared == nil:
		return fmt.Sprintf("the kernel's types do not declare the arguments of %s: write arg0 and so on, with casts of what they point to, as in ((struct sk_buff *)arg0)->len", p.function)
	}
	return unread(p.declared, p.Name(), name)
}

// unread says of a parameter that it is passed in a way in which it is not read; "" of
// any other.
func unread(f *ctype.Func, function, name string) string {
	for _, p := range f.Params {
		if p.Name == name && !p.Type.Scalar() {
			return fmt.Sprintf("%s of %s is %s by value, which is not read", name, function, p.Text())
		}
	}
	return ""
}

// functionVars are the variables of the functions in a scope.
func (s *Scope) functionVars(r *Resolver, proto *prototype, whole bool) []*Var {
	vars := regVars(r.kernel, false)
	if s.provider.returns {
		t := proto.result
		if t == nil {
			t = plylang.S64
		}
		return append(vars, elapsedVar(), newVar(funcRow, addressType(plylang.DisplayFunc), loadReturning), newVar(retvalRow, t, func(c *Context) {
			loadRegister(c, c.Kernel.Arch().Return)
			c.Extend(t)
		}))
	}
	address := loadFunction(whole)
	vars = append(vars,
		newVar(funcRow, addressType(plylang.DisplayFunc), address),
		newVar(callerRow, addressType(plylang.DisplaySymbol), address),
		newFields(argsRow, proto, loadParam, nil))
	for i := range argRows {
		vars = append(vars, s.argVar(r.kernel, i))
	}
	return vars
}

// loadParam leaves a declared argument in R0, widened from its own size.
func loadParam(c *Context, f plylang.Field) {
	loadArg(c, f.Offset)
	c.Extend(f.Type)
}
