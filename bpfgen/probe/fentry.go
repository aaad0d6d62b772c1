package probe

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Functions with their types
//
// fentry and fexit run a program by a call that the kernel patches into the function.
// That costs a part of what a kprobe does, and at fexit all returns are seen, however
// many callers are inside, with the arguments that the call had. A program belongs to
// one function, by its declaration in the kernel's types: each takes a program, and
// what the types do not declare cannot be had.
//
// The context of a program is the arguments in their order, each in as many words as
// it takes, then the result. It lies on the stack of the call.

var (
	fentryProvider = newProvider("fentry", append(slices.Clone(argRows), argsRow, funcRow)...)
	fexitProvider  = newProvider("fexit", append(slices.Clone(argRows), argsRow, retvalRow, elapsedRow, funcRow)...)
)

func init() {
	fexitProvider.returns = true
	for p, attach := range map[*Provider]object.AttachKind{fentryProvider: object.AttachFentry, fexitProvider: object.AttachFexit} {
		p.again, p.others, p.list = true, "of another function", listTraced(p)
		p.scopes = func(r *Resolver, spec *plylang.Spec, uses plylang.Uses) ([]*Scope, error) {
			return tracedScopes(r, newScope(p, spec, uses, attach))
		}
	}
}

// shared names the provider of the same places whose programs serve many of them.
func (p *Provider) shared() string {
	if p.returns {
		return kretprobeProvider.Name
	}
	return kprobeProvider.Name
}

// tracedScopes resolves the target of s, which has no sites yet.
func tracedScopes(r *Resolver, s *Scope) ([]*Scope, error) {
	target, err := parseTraced(r.kernel, s)
	if err != nil {
		return nil, err
	}
	if _, err := r.kernel.BTF(); err != nil {
		return nil, err
	}
	shared := s.provider.shared()
	switch {
	case r.kernel.Has(kernel.Fentry):
	case !r.kernel.Has(kernel.Kprobe):
		return nil, missingf("this kernel refuses programs at fentry and fexit and has no kprobes, so its functions cannot be traced; %s", insteadOfFunctions)
	default:
		return nil, missingf("this kernel refuses programs at fentry and fexit: write %s:%s%s", shared, s.spec.Target, lacksArguments(s))
	}
	functions, err := r.kernel.Functions(target.pattern())
	if err == nil && len(functions) == 0 {
		err = noFunction(r.kernel, shared, target)
	}
	if err != nil {
		return nil, err
	}
	found, err := traceables(r.kernel, s.provider, functions)
	if err != nil {
		return nil, err
	}
	s.why = "a call in the function itself: " + skips(r.kernel)
	if left := len(functions) - len(found); left > 0 {
		s.why += fmt.Sprintf("; %d left out, of which the kernel's types or the kernel do not allow it", left)
	}
	several := kernel.IsGlob(target.name) || len(functions) > 1
	if several {
		found = withResult(s, found)
	}
	return byTypes(s, found, several), nil
}

// traceables are the functions that programs can be at. If there are none the error says
// why of the first.
func traceables(k *kernel.Kernel, p *Provider, functions []kernel.Function) (found []*traced, first error) {
	for _, f := range functions {
		t, err := traceable(k, p, f)
		if err != nil {
			first = cmp.Or(first, err)
			continue
		}
		found = append(found, t)
	}
	if len(found) > 0 {
		return found, nil
	}
	return nil, first
}

// withResult leaves out functions that return nothing where the clause asks for what
// others return.
func withResult(s *Scope, found []*traced) []*traced {
	if !s.provider.returns || !s.wants("retval") {
		return found
	}
	returning := slices.DeleteFunc(slices.Clone(found), func(t *traced) bool { return t.ReturnsNothing() })
	if left := len(found) - len(returning); left > 0 && len(returning) > 0 {
		what := emit.Pick(left == 1, "returns nothing, and is", "return nothing, and are")
		s.notes = append(s.notes, fmt.Sprintf("%s:%s matches %s that %s left out: retval is of the others", s.provider.Name, s.spec.Target, plural(left, "function"), what))
		return returning
	}
	return found
}

// lacksArguments says what a kretprobe has not; "" that is nothing.
func lacksArguments(s *Scope) string {
	if s.provider.returns && (s.wants("args") || s.wantsPlainArgument()) {
		return ", and keep the arguments in a table at the kprobe"
	}
	return ""
}

// parseTraced parses function and module:function.
func parseTraced(k *kernel.Kernel, s *Scope) (functionTarget, error) {
	target, err := parseFunction(s.spec.Target)
	if err != nil {
		return target, err
	}
	if !target.wholeFunction() {
		return target, fmt.Errorf("%s is at a whole function: leave out the offset or address in %q", s.provider.Name, s.spec.Target)
	}
	if call, ok := cutSyscall(s.spec.Target); ok && len(k.Arch().MatchSyscalls(call)) > 0 {
		return target, fmt.Errorf("%s names a system call and no function: write %s:%s", s.spec.Target, s.provider.shared(), s.spec.Target)
	}
	return target, nil
}

// skips says what the kernel does not run a program for. Before Linux 5.12 nothing
// keeps a program from being run inside itself, and from then on nothing runs it
// there.
func skips(k *kernel.Kernel) string {
	if !k.AtLeast(5, 12) {
		return "this kernel skips nothing"
	}
	p := planner{kernel: k}
	return "what is called while its program runs, or while a task is preempted in it, is " + p.missed()
}

// Reenters says whether a program can be interrupted by itself.
func (p *Program) Reenters(k *kernel.Kernel) bool {
	return p.Attach == object.AttachRawTracepoint && !k.AtLeast(6, 1) || p.Unbounded(k)
}

// Unbounded says whether what a program calls can run it again, without end. At raw
// tracepoints reentries keeps that from being so.
func (p *Program) Unbounded(k *kernel.Kernel) bool {
	return attachKinds[p.Attach].each && !k.AtLeast(5, 12)
}

// A traced is a function as programs at it see it; it implements plylang.Fields with
// the parameters as members, whose offset is the number of their word.
type traced struct {
	kernel.Function
	*ctype.Func
	params []tracedParam
	words  int      // of all parameters
	others []string // functions that declare the same, as far as the clause sees
}

// A tracedParam is a parameter that is a scalar.
type tracedParam struct {
	plylang.Field
	number  int
	checked bool
}

// newTraced is what programs at f see, whose declaration is known.
func newTraced(f kernel.Function, declared *ctype.Func) *traced {
	t := &traced{Function: f, Func: declared}
	for i, p := range declared.Params {
		if p.Type.Scalar() {
			t.params = append(t.params, tracedParam{plylang.Field{Name: p.Name, Type: p.Type, Offset: t.words}, i, p.Checked})
		}
		t.words += p.Words
	}
	return t
}

// byTypes divides functions so that all of a scope declare what the clause uses in
// the same way.
func byTypes(s *Scope, found []*traced, several bool) []*Scope {
	var out []*Scope
	for _, group := range alike(found, func(t *traced) string { return t.key(s) }) {
		one := *s
		for _, t := range group {
			one.add(object.Function{Symbol: t.Function.Name}, t.Function.Name, several)
		}
		for _, t := range group[1:] {
			group[0].others = append(group[0].others, t.Function.Name)
		}
		one.vars = group[0].vars(one.provider)
		out = append(out, &one)
	}
	return out
}

// key spells out what the clause sees of t.
func (t *traced) key(s *Scope) string {
	var b strings.Builder
	for _, p := range t.params {
		if s.wants("args") && s.uses.Members[p.Name] || p.number <= maxArg && s.uses.Names[argRows[p.number].Name] {
			fmt.Fprint(&b, p.number, p.Name, p.Offset, p.checked, " ", ctype.Key(p.Type), ";")
		}
	}
	if s.wants("retval") {
		fmt.Fprint(&b, t.ReturnsNothing(), t.words, t.CheckedResult, " ", ctype.Key(t.Result))
	}
	return b.String()
}

// vars are the variables of programs at the function.
func (t *traced) vars(p *Provider) []*Var {
	vars := []*Var{newVar(funcRow, addressType(plylang.DisplayFunc), loadReturning), newFields(argsRow, t, t.load, nil)}
	for _, p := range t.params {
		if p.number <= maxArg {
			vars = append(vars, newVar(argRows[p.number], p.Type, func(c *Context) { t.load(c, p.Field) }))
		}
	}
	if p.returns {
		vars = append(vars, elapsedVar())
	}
	if !p.returns || t.ReturnsNothing() {
		return vars
	}
	return append(vars, newVar(retvalRow, t.Result, func(c *Context) { loadWord(c, t.words, t.Result, t.CheckedResult) }))
}

// load leaves a parameter in R0.
func (t *traced) load(c *Context, f plylang.Field) {
	i := slices.IndexFunc(t.params, func(p tracedParam) bool { return p.Name == f.Name })
	loadWord(c, f.Offset, f.Type, t.params[i].checked)
}

// loadWord leaves a word of the context in R0, widened from its type's size. The
// verifier refuses to load addresses that are not checked, which are read as any
// memory is. Others it takes for addresses that must not be calculated with, until
// they are negated.
func loadWord(c *Context, word int, t *plylang.Type, checked bool) {
	if !checked {
		slot := c.Slot(8)
		c.Emit(asm.Mov.Reg(asm.R3, asm.R6), asm.Add.Imm(asm.R3, int32(8*word)))
		c.ProbeRead(slot, false)
		c.Load(asm.R0, slot)
		c.Free(slot)
		return
	}
	c.Emit(asm.LoadMem(asm.R0, asm.R6, int16(8*word), asm.DWord))
	if t.Kind == plylang.Pointer {
		forgetPointer(c)
		return
	}
	c.Extend(t)
}

// forgetPointer makes R0 a number to the verifier.
func forgetPointer(c *Context) { c.Emit(asm.Neg.Imm(asm.R0, 0), asm.Neg.Imm(asm.R0, 0)) }

// loadTraced leaves in R0 where the context is: on the stack of the call, at its
// beginning and its return alike.
func loadTraced(c *Context) {
	c.Emit(asm.Mov.Reg(asm.R0, asm.R6))
	forgetPointer(c)
}

// Name names the function for messages.
func (t *traced) Name() string { return "function " + t.Function.Name }

// Functions names all functions that it is the declaration of.
func (t *traced) Functions() []string { return append([]string{t.Function.Name}, t.others...) }

// Member returns a parameter by name.
func (t *traced) Member(name string) (plylang.Field, bool) {
	for _, p := range t.params {
		if p.Name == name {
			return p.Field, true
		}
	}
	return plylang.Field{}, false
}

// Names lists the parameters in order.
func (t *traced) Names() (names []string) {
	for _, p := range t.params {
		names = append(names, p.Name)
	}
	return names
}

// Refused says why a parameter cannot be had.
func (t *traced) Refused(name string) string { return unread(t.Func, t.Name(), name) }
