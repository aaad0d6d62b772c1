package probe

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// A Context is what the code of a probe's variables is generated with: the
// clause's scope, and the program that the clause is in.
type Context struct {
	*emit.Emitter
	Kernel *kernel.Kernel
	Attach object.AttachKind    // of the program
	Typed  bool                 // the kernel knows the types of the program's arguments
	Points []object.AttachPoint // of the program
	Scope  *Scope               // of the clause
	Base   uint64               // where the names of the scope's bundle begin in Plan.Names
	Began  emit.Mem             // when the call began that returns, if the scope is Timed

	calls []callRange // that the program has not left for; nil: any, see Program.Filter
}

// A Var is one variable of a kind of probe, or a function that only such probes
// have, at the sites of a scope. Its value is a scalar.
type Var struct {
	plylang.Func

	// Bound is how many values it can have, from 0 on; 0: that is not known.
	Bound int

	// Load leaves the value in R0.
	Load func(c *Context, args []plylang.Expr)

	// Member and CopyMember load a member of a variable whose members are not
	// behind an address (args of a function), or are cheaper had otherwise
	// (data of a tracepoint): a scalar to R0, anything else to memory.
	Member     func(c *Context, f plylang.Field)
	CopyMember func(c *Context, f plylang.Field, dst emit.Mem)

	// Task says which task the value names, or that of a member. nil: none.
	Task func(member string) (TaskKey, bool)
}

// newVar is a row of a provider's variables with the type and the code that it
// has at some sites.
func newVar(row *plylang.Func, t *plylang.Type, load func(c *Context)) *Var {
	v := &Var{Func: *row, Load: func(c *Context, _ []plylang.Expr) { load(c) }}
	v.Result, v.Impl = t, v
	return v
}

// newFields is as newVar for a variable whose members are fields.
func newFields(row *plylang.Func, fields plylang.Fields, member func(*Context, plylang.Field), copyMember func(*Context, plylang.Field, emit.Mem)) *Var {
	t := &plylang.Type{Kind: plylang.Pointer, Size: 8, Elem: &plylang.Type{Kind: plylang.Struct, Struct: fields}}
	v := newVar(row, t, func(c *Context) { c.Emit(asm.Mov.Reg(asm.R0, asm.R6)) })
	v.Member, v.CopyMember = member, copyMember
	v.OnlyMembers = row == argsRow
	return v
}

// Site leaves in R0 the index into Plan.Names of the probe that fired.
func (c *Context) Site() {
	if c.Scope.bundle != nil {
		c.Scope.bundle.fired(c)
		return
	}
	c.siteID()
}

// siteID leaves in R0 the id of the site that fired.
func (c *Context) siteID() {
	if len(c.Points) == 1 {
		c.Imm(asm.R0, int64(c.Points[0].ID))
		return
	}
	c.Emit(asm.Mov.Reg(asm.R1, asm.R6))
	c.Call(asm.FnGetAttachCookie)
}

// raw says whether the program is attached to raw tracepoints.
func (c *Context) raw() bool { return c.Attach == object.AttachRawTracepoint }
