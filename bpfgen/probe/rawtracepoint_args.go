package probe

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// rawFields are the arguments of a raw tracepoint as the kernel declares them; they
// implement plylang.Fields with the number of an argument as the offset of its member.
type rawFields struct {
	event  string
	params []ctype.Param
}

func newRawFields(k *kernel.Kernel, event string) *rawFields {
	return &rawFields{event, ctype.TracepointParams(k, event)}
}

// Name names the tracepoint for messages.
func (r *rawFields) Name() string { return "raw tracepoint " + r.event }

// Member returns an argument by name.
func (r *rawFields) Member(name string) (plylang.Field, bool) {
	for i, p := range r.params {
		if p.Name == name && p.Type.Scalar() {
			return plylang.Field{Name: name, Type: p.Type, Offset: i}, true
		}
	}
	return plylang.Field{}, false
}

// Names lists the arguments in order.
func (r *rawFields) Names() (names []string) {
	for _, p := range r.params {
		if p.Type.Scalar() {
			names = append(names, p.Name)
		}
	}
	return names
}

// key spells out what a clause sees of them.
func (r *rawFields) key(uses plylang.Uses) string {
	if !uses.Names[argsRow.Name] && !uses.Asked[argsRow.Name] {
		return ""
	}
	var b strings.Builder
	fmt.Fprint(&b, r.params != nil)
	for _, name := range sortedKeys(uses.Members) {
		if f, ok := r.Member(name); ok {
			fmt.Fprint(&b, f.Offset, name, " ", ctype.Key(f.Type), ";")
		}
	}
	return b.String()
}

// listed are the arguments as C declares them.
func (r *rawFields) listed() (vars []ListedVar) {
	for _, p := range r.params {
		vars = append(vars, ListedVar{"args->" + p.Name, p.Text()})
	}
	return vars
}

// loadRawArg leaves an argument in R0, widened from its own size: the kernel passes
// each as a word.
func loadRawArg(c *Context, f plylang.Field) {
	loadRawWord(c, f.Offset)
	c.Extend(f.Type)
}

// loadRawWord leaves an argument in R0 as the kernel passes it.
func loadRawWord(c *Context, arg int) {
	c.Emit(asm.LoadMem(asm.R0, asm.R6, int16(8*arg), asm.DWord))
	if c.Typed {
		forgetPointer(c)
	}
}
