package probe

import (
	"fmt"
	"sort"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// loadRegister leaves a register of the traced function in R0: the context of
// its programs is pt_regs.
func loadRegister(c *Context, name string) {
	r := c.Kernel.Arch().Registers[name]
	c.Emit(asm.LoadMem(asm.R0, asm.R6, int16(r.Offset), emit.SizeOp(r.Size)))
}

// loadArg leaves argument i of the traced function of the kernel in R0.
func loadArg(c *Context, i int) {
	args := c.Kernel.Arch().Args
	if i < len(args) {
		loadRegister(c, args[i])
		return
	}
	loadStackArg(c, i-len(args), false)
}

// loadStackArg leaves the i-th of the arguments in R0 that the calling convention
// puts on the stack. They lie above the return address where the caller leaves that
// there.
func loadStackArg(c *Context, i int, user bool) {
	arch := c.Kernel.Arch()
	off := 8 * i
	if arch.Link == "" {
		off += 8
	}
	slot := c.Slot(8)
	loadRegister(c, arch.SP)
	c.Emit(asm.Mov.Reg(asm.R3, asm.R0), asm.Add.Imm(asm.R3, int32(off)))
	c.ProbeRead(slot, user)
	c.Load(asm.R0, slot)
	c.Free(slot)
}

// loadFunction leaves the address of the traced function in R0. Inside a
// function, and where the kernel does not know, that is where the CPU
// stands; a breakpoint has moved that on by its own length on x86-64.
func loadFunction(whole bool) func(*Context) {
	return func(c *Context) {
		if whole && c.Kernel.Has(kernel.FuncIP) {
			c.Emit(asm.Mov.Reg(asm.R1, asm.R6))
			c.Call(asm.FnGetFuncIp)
			return
		}
		loadRegister(c, c.Kernel.Arch().IP)
		if c.Kernel.Arch().Name == "amd64" {
			c.Emit(asm.Sub.Imm(asm.R0, 1))
		}
	}
}

// loadReturning leaves the address of the function that returns in R0. Without
// the kernel's help a program knows it only when it serves a single function.
func loadReturning(c *Context) {
	if c.Kernel.Has(kernel.FuncIP) {
		c.Emit(asm.Mov.Reg(asm.R1, asm.R6))
		c.Call(asm.FnGetFuncIp)
		return
	}
	f := c.Points[0].Site.(object.Function)
	addr := f.Addr
	if addr == 0 {
		addr = functionAddress(c.Kernel, f.Symbol)
	}
	c.Imm(asm.R0, int64(addr))
}

// registerFields are the members of regs: the machine's registers by name. Addresses in
// those of a process point into its memory.
type registerFields struct {
	arch *kernel.Arch
	user bool
}

// Name names the registers for messages.
func (r registerFields) Name() string { return "struct pt_regs of " + r.arch.Machine }

// Member returns a register.
func (r registerFields) Member(name string) (plylang.Field, bool) {
	reg, ok := r.arch.Registers[name]
	t := ctype.Number(reg.Size, false)
	if ok && r.user && t.Size == 8 {
		in := *t
		in.User = true
		t = &in
	}
	return plylang.Field{Name: name, Type: t, Offset: reg.Offset}, ok
}

// Names lists the registers in alphabetical order.
func (r registerFields) Names() []string {
	var names []string
	for name := range r.arch.Registers {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// regVars are regs and reg("name"), of a process or of the kernel.
func regVars(k *kernel.Kernel, user bool) []*Var {
	registers := registerFields{k.Arch(), user}
	regs := newFields(regsRow, registers, func(c *Context, f plylang.Field) { loadRegister(c, f.Name) }, nil)
	reg := newVar(regRow, wordType, nil)
	reg.Load = func(c *Context, args []plylang.Expr) { loadRegister(c, registerName(args)) }
	reg.Infer = func(args []plylang.Expr) (*plylang.Type, error) { return inferRegister(registers, args) }
	return []*Var{regs, reg}
}

func registerName(args []plylang.Expr) string {
	if s, ok := args[0].(*plylang.StringLit); ok {
		return s.Value
	}
	return ""
}

// inferRegister finds fault with a register that the machine does not have.
func inferRegister(fields registerFields, args []plylang.Expr) (*plylang.Type, error) {
	name := registerName(args)
	if f, ok := fields.Member(name); ok {
		return f.Type, nil
	}
	return nil, &plylang.ArgError{Msg: fmt.Sprintf("this machine (%s) has no register %q%s",
		fields.arch.Machine, name, plylang.DidYouMean(name, fields.Names()))}
}
