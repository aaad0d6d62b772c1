package probe

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/plylang"
)

// nativeOnly goes to skip when the call is one of another instruction set (a
// 32-bit process on a 64-bit kernel): a bit of the task's thread_info says so.
func nativeOnly(c *Context, skip string) {
	bit := c.Kernel.Arch().Compat
	if bit.Mask == 0 {
		return
	}
	offset, err := c.Kernel.FieldOffset("task_struct", bit.Field)
	if err != nil {
		return
	}
	native := c.Label()
	nativeByRegisters(c, native)
	c.LoadTask(plylang.U32, offset)
	c.Jump(asm.JSet, asm.R0, int32(bit.Mask), skip)
	c.Bind(native)
}

// nativeByRegisters goes to native when the caller's registers are as only the
// native instruction for system calls leaves them. To load some of them costs less
// than the call that finds the task, which a clause need not make that asks for
// nothing of the task.
func nativeByRegisters(c *Context, native string) {
	left := c.Kernel.Arch().NativeCall
	cast, ok := c.Kernel.Cast()
	if !ok || !c.raw() || left.Code == "" || c.Fetched(currentTask) || c.Scope.asksTask() {
		return
	}
	exact := c.Label()
	c.Emit(asm.LoadMem(asm.R1, asm.R6, rawRegisters, asm.DWord))
	c.Emit(cast.Call()...)
	load := func(reg asm.Register, name string, size asm.Size) {
		c.Emit(asm.LoadMem(reg, asm.R0, int16(c.Kernel.Arch().Registers[name].Offset), size))
	}
	for _, pair := range left.Equal {
		load(asm.R1, pair[0], asm.DWord)
		load(asm.R2, pair[1], asm.DWord)
		c.JumpReg(asm.JNE, asm.R1, asm.R2, exact)
	}
	load(asm.R1, left.Code, asm.Half)
	c.Jump(asm.JEq, asm.R1, left.Segment, native)
	c.Bind(exact)
}

// asksTask says whether the clause uses something for which the current task is
// fetched. The call's arguments are none: where the registers can be loaded, they
// are loaded from there.
func (s *Scope) asksTask() bool { return s.wants("comm", "curtask") }
