package probe

import (
	"fmt"
	"slices"
	"strings"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// Arguments of system calls
//
// An argument has the type that its call declares in the format of its own
// tracepoint, sys_enter_X: the register of an int may hold anything in its upper
// half, which the kernel does not look at. Calls of a glob that declare the used
// arguments differently are told apart by their numbers, like specifications of
// their own. What a call declares as a pointer stays an address in argN: scripts
// have always added bytes to it. args->name and data->field have its type.

// callArgs is how many arguments a system call has at most.
const callArgs = 6

// userArg is an argument whose type is not known, or differs.
var userArg = &plylang.Type{Kind: plylang.Int, Size: 8, User: true}

// declared are system calls that look alike to a clause.
type declared struct {
	calls  []kernel.Syscall
	args   [callArgs]*plylang.Type
	fields *ctype.Record // the arguments by name, of a single call; nil: not known
}

// byDeclaration groups calls by what they declare the arguments as that the
// clause uses by number.
func byDeclaration(r *Resolver, s *Scope, calls []kernel.Syscall) []*declared {
	if len(calls) == 1 {
		return []*declared{declarationOf(r, s, calls[0])}
	}
	all := make([]*declared, len(calls))
	for i, c := range calls {
		all[i] = &declared{calls: []kernel.Syscall{c}}
		if s.wantsCallArg() && !c.Unnamed {
			all[i] = declarationOf(r, s, c)
		}
		all[i].fields = nil
	}
	var out []*declared
	for _, group := range alike(all, func(d *declared) string { return d.key(s) }) {
		first := group[0]
		for _, d := range group[1:] {
			first.calls = append(first.calls, d.calls...)
		}
		out = append(out, first)
	}
	return out
}

func (s *Scope) wantsCallArg() bool {
	return slices.ContainsFunc(argRows[:callArgs], func(row *plylang.Func) bool { return s.wants(row.Name) })
}

// declarationOf is what a single call declares. What BTF knows of an argument is
// looked up when the clause uses it by name.
func declarationOf(r *Resolver, s *Scope, c kernel.Syscall) *declared {
	d := &declared{calls: []kernel.Syscall{c}}
	for _, name := range []string{c.Wrapper, c.Name} {
		event := "syscalls/sys_enter_" + name
		record, err := ctype.ReadRecord(r.kernel, event, s.uses.Members)
		if err != nil {
			continue
		}
		d.fields = record.From(recordArgs, "system call sys_"+c.Name)
		for i, name := range d.fields.Names() {
			if f, _ := d.fields.Member(name); i < callArgs && f.Type.Integer() {
				d.args[i] = f.Type
			}
		}
		break
	}
	return d
}

// undeclared says why the arguments of a single call are not known by name, where the
// clause asks for them, the kernel declares them, and the declaration cannot be read.
func undeclared(r *Resolver, s *Scope, calls []kernel.Syscall) error {
	if len(calls) != 1 || !s.wants(argsRow.Name) {
		return nil
	}
	event := "sys_enter_" + calls[0].Wrapper
	if !hasTracepoint(r.kernel, "syscalls", event) {
		return nil
	}
	_, err := r.kernel.Tracepoint("syscalls", event)
	return err
}

// arg is the type of an argument.
func (d *declared) arg(i int) *plylang.Type {
	if d.args[i] == nil {
		return userArg
	}
	return d.args[i]
}

// key spells out what the clause sees of the arguments.
func (d *declared) key(s *Scope) string {
	var b strings.Builder
	for i, row := range argRows[:callArgs] {
		if s.wants(row.Name) {
			fmt.Fprint(&b, ctype.Key(d.arg(i)), ";")
		}
	}
	return b.String()
}

// argVars are arg0, arg1 and so on; load leaves an argument's register in R0.
func (d *declared) argVars(load func(c *Context, i int)) []*Var {
	var vars []*Var
	for i, row := range argRows[:callArgs] {
		t := d.arg(i)
		vars = append(vars, newVar(row, t, func(c *Context) {
			load(c, i)
			c.Extend(t)
		}))
	}
	return vars
}

// Entry says how to keep an argument by name where the single system call begins that
// returns at s; "" when it has no such argument.
func (s *Scope) Entry(name string) string {
	call, returns, ok := SystemCall(s.spec)
	if !ok || !returns {
		return ""
	}
	for _, c := range matchCalls(s.kernel, call) {
		for _, wrapper := range []string{c.Wrapper, c.Name} {
			record, err := ctype.ReadRecord(s.kernel, syscallEnter.each+wrapper, nil)
			if err != nil {
				continue
			}
			if _, ok := record.Member(name); ok {
				return s.entry(name)
			}
		}
	}
	return ""
}

// entry is a clause where the call begins that returns at s.
func (s *Scope) entry(name string) string {
	if s.provider == tracepointProvider {
		return fmt.Sprintf("%s:%s { @x[tid] = %s->%s; }", s.spec.Provider, strings.Replace(s.spec.Target, "sys_exit_", "sys_enter_", 1), dataRow.Name, name)
	}
	return fmt.Sprintf("%s:%s { @x[tid] = %s->%s; }", kprobeProvider.Name, s.spec.Target, argsRow.Name, name)
}
