package probe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Functions that have moved
//
// Functions of the kernel are no interface. A script that names one which has
// another name on this kernel, or whose work another one does, is attached to
// that one, with its arguments where the script expects them and a note that
// says so. One whose parameters have changed keeps its registers, because the
// script may have been written for them: a note says what is right on every
// kernel. So does one about a function that is there, and inlined where it is
// called most. The exception is a parameter that has become the address of what it
// was, which a script does not want in place of it. What has no successor is an
// error that names what observes the same.

// current returns the target that a script means by t on this kernel, and what
// has moved of it. The offset of an instruction is one in the very function.
func current(k *kernel.Kernel, t functionTarget) (functionTarget, []*move) {
	if t.module != "" || !t.wholeFunction() {
		return t, nil
	}
	var changed []*move
	for i := range moves {
		m := &moves[i]
		switch {
		case m.name != t.name || !m.applies(k):
		case m.renamed():
			t.name = m.to
			return t, []*move{m}
		default:
			changed = append(changed, m)
		}
	}
	return t, changed
}

func (m *move) renamed() bool { return m.to != m.name }

// applies says whether this kernel has the function with the change.
func (m *move) applies(k *kernel.Kernel) bool {
	switch {
	case !isFunction(k, m.to):
		return false
	case m.renamed():
		return m.bypassed || !isFunction(k, m.name) || m.hidden(k)
	}
	f := ctype.FuncNamed(k, m.name)
	if m.inlined != "" || f == nil {
		return k.AtLeast(m.since[0], m.since[1])
	}
	return !strings.HasPrefix(m.was.in(f)+" ", m.was.declared+" ")
}

// hidden says that the function is a symbol, and not known to be one that can be
// probed, on a kernel in which callers have it inlined.
func (m *move) hidden(k *kernel.Kernel) bool {
	return !k.ListsTraceable() && k.AtLeast(m.since[0], m.since[1])
}

// in is how a function declares the parameter; "" it has none.
func (p parameter) in(f *ctype.Func) string {
	switch {
	case p.number == result:
		return f.ResultText()
	case p.number >= len(f.Params):
		return ""
	}
	return f.Params[p.number].Text() + " " + f.Params[p.number].Name
}

// gone says what to use in place of a function that this kernel has not; ""
// nothing is known.
func gone(k *kernel.Kernel, name string) string {
	i := slices.IndexFunc(moves, func(m move) bool { return m.name == name && len(m.use) > 0 })
	if i < 0 {
		return ""
	}
	m := &moves[i]
	hint := ": use " + orList(m.usable(k))
	if m.to == "" && k.AtLeast(m.since[0], m.since[1]) {
		return fmt.Sprintf(", which is gone or inlined since Linux %d.%d%s", m.since[0], m.since[1], hint)
	}
	return hint
}

// usable are the specifications that can take the place of the function on
// this kernel; all of them where it does not tell what it has.
func (m *move) usable(k *kernel.Kernel) []string {
	var have []string
	for _, spec := range m.use {
		if usable(k, spec) {
			have = append(have, spec)
		}
	}
	if have == nil {
		return m.use
	}
	return have
}

// usable says whether this kernel has the tracepoint, system call or function that a
// specification names.
func usable(k *kernel.Kernel, spec string) bool {
	if function, ok := strings.CutPrefix(spec, "kprobe:"); ok {
		return strings.HasPrefix(function, "sys_") || isFunction(k, function)
	}
	category, event, _ := cutTracepoint(strings.TrimPrefix(spec, "tracepoint:"))
	return hasTracepoint(k, category, event)
}

// old returns where argument i of the function in the script is now. ok is
// false when it is where it was.
func (m *move) old(i int) (arg oldArg, ok bool) {
	switch {
	case i < len(m.args):
		return m.args[i], true
	case m.renamed():
		return oldArg{write: "the arguments of " + m.to}, true
	}
	return arg, false
}

// argVar is the variable of argument i.
func (s *Scope) argVar(k *kernel.Kernel, i int) *Var {
	row := argRows[i]
	for _, m := range s.moved {
		arg, ok := m.old(i)
		switch {
		case !ok:
		case arg.target != "":
			return newVar(row, typeOr(k, arg.target, wordType), func(c *Context) { loadPointee(c, arg.number) })
		case arg.write == "":
			return newVar(row, arg.word(), func(c *Context) { loadArg(c, arg.number) })
		case m.renamed():
			return m.lost(row, arg)
		}
	}
	return newVar(row, wordType, func(c *Context) { loadArg(c, i) })
}

// word is the type of an argument that is given as it is.
func (a oldArg) word() *plylang.Type {
	if a.user {
		return userArg
	}
	return wordType
}

// typeOr is the type of that name, where this kernel has it.
func typeOr(k *kernel.Kernel, name string, or *plylang.Type) *plylang.Type {
	if t := ctype.Named(k, name); t != nil {
		return t
	}
	return or
}

// lost is the variable of an argument that the function has no more.
func (m *move) lost(row *plylang.Func, arg oldArg) *Var {
	v := newVar(row, wordType, func(*Context) {})
	v.Infer = func([]plylang.Expr) (*plylang.Type, error) {
		return nil, fmt.Errorf("%s of %s is no argument of %s, to which it is attached: write %s", row.Name, m.name, m.to, arg.write)
	}
	return v
}

// loadPointee leaves in R0 the word that argument i of the traced function
// points to.
func loadPointee(c *Context, i int) {
	loadArg(c, i)
	slot := c.Slot(8)
	c.Emit(asm.Mov.Reg(asm.R3, asm.R0))
	c.ProbeRead(slot, false)
	c.Load(asm.R0, slot)
	c.Free(slot)
}

// Notes says in which way the probe is not what the script has written, or may
// not be what it means.
func (s *Scope) Notes() []string { return s.notes }

// note enters the notes about the function that the script calls name.
func (s *Scope) note(k *kernel.Kernel, name string) {
	for _, m := range s.moved {
		if m.renamed() {
			s.notes = append(s.notes, m.attachedTo(k, s.symbol()))
		} else {
			s.notes = append(s.notes, m.changes(k, s)...)
		}
	}
	if text := s.copied(k, name); text != "" {
		s.notes = append(s.notes, text)
	}
	if copies := k.CopiesBeside(name); len(copies) > 0 && s.symbol() == name {
		s.notes = append(s.notes, fmt.Sprintf("calls of %[1]s, which the compiler has made of %[2]s for some of its callers, are not seen: %[3]s:@(%[2]s|%[4]s) has all", strings.Join(copies, " and "), name, s.provider.Name, strings.Join(copies, "|")))
	}
}

// symbol is the function of the first site; "" only its address is known.
func (s *Scope) symbol() string { return s.sites[0].Site.(object.Function).Symbol }

func (m *move) version() string { return fmt.Sprintf("Linux %d.%d", m.since[0], m.since[1]) }

// attachedTo says which function a script gets in place of the one that it names.
func (m *move) attachedTo(k *kernel.Kernel, symbol string) string {
	note := fmt.Sprintf("%s is attached to %s, which does its work", m.name, symbol)
	if k.AtLeast(m.since[0], m.since[1]) {
		note += " since " + m.version()
	}
	if m.also != "" {
		note += " and that of " + m.also
	}
	return note
}

// missing says what a script does not see of a function that is inlined, and what does.
func (m *move) missing(k *kernel.Kernel, provider string) string {
	use := strings.ReplaceAll(orList(m.usable(k)), "kprobe:", provider+":")
	return fmt.Sprintf("compilers put %s into %s, whose calls are not seen here: use %s", m.name, m.inlined, use)
}

// changes says what has changed of what the clause uses.
func (m *move) changes(k *kernel.Kernel, s *Scope) (notes []string) {
	if m.inlined != "" {
		return []string{m.missing(k, s.provider.Name)}
	}
	if s.provider.returns {
		if m.was.number == result && s.wants("retval") {
			notes = append(notes, fmt.Sprintf("the result of %s is no %s since %s", m.name, m.was.declared, m.version()))
		}
		return notes
	}
	for i, arg := range m.args {
		name := argRows[i].Name
		switch {
		case !s.wants(name):
		case arg.target != "":
			notes = append(notes, fmt.Sprintf("%s is the %s that it was before %s: since then %s gets the address of it", name, arg.target, m.version(), s.symbol()))
		case arg.write != "":
			notes = append(notes, fmt.Sprintf("%s of %s was %s before %s, and is another argument now: write that", name, m.name, arg.write, m.version()))
		}
	}
	return notes
}

// copied is about a function that is there only as a copy that the compiler has
// made: name.constprop.0 lacks what is always the same, name.isra.0 what is not
// used. Who writes the types of a kernel since 6.3 declares a copy only if its
// arguments are in the registers of those of the function.
func (s *Scope) copied(k *kernel.Kernel, name string) string {
	symbol := s.symbol()
	if !strings.HasPrefix(symbol, name+".") {
		return ""
	}
	what := ""
	switch {
	case s.provider.returns && s.wants("retval"):
		what = "whose result the compiler may have left out"
	case !s.provider.returns && s.wantsPlainArgument() && ctype.FuncNamed(k, name) == nil:
		what = "whose arguments the compiler may have changed: this kernel does not declare them"
	default:
		return ""
	}
	return fmt.Sprintf("%s is attached to %s, a copy of it %s", name, symbol, what)
}

// wantsPlainArgument says whether the clause uses an argument of which the table
// of moves does not say where it is.
func (s *Scope) wantsPlainArgument() bool {
	for i, row := range argRows {
		known := slices.ContainsFunc(s.moved, func(m *move) bool { return i < len(m.args) })
		if s.wants(row.Name) && !known {
			return true
		}
	}
	return false
}
