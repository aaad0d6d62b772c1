package probe

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// The current task
//
// A kernel that tells programs the type of what a pointer points to lets them load
// from there, as from a map's value. Others only have a helper that reads memory at
// any address: each call of it costs as much as a lookup in a hash. Both give the
// same values. From Linux 6.2 on an address of no known type can be given one.

// currentTask is what is fetched once under this name.
const currentTask = "current task"

// LoadsTask makes R9 the address of the current task, to be loaded from. It
// returns false where this kernel does not allow that.
func (c *Context) LoadsTask() bool {
	if !c.Kernel.Has(kernel.TypedTask) {
		return false
	}
	c.Once(currentTask, func() {
		c.Call(asm.FnGetCurrentTaskBtf)
		c.Emit(asm.Mov.Reg(asm.R9, asm.R0))
	})
	return true
}

// LoadTask leaves a scalar member of the current task in R0, which lies at offset.
func (c *Context) LoadTask(t *plylang.Type, offset int) {
	if c.LoadsTask() {
		c.LoadTyped(t, asm.R9, offset)
		return
	}
	slot := c.Slot(8)
	c.Call(asm.FnGetCurrentTask)
	c.Emit(asm.Mov.Reg(asm.R3, asm.R0), asm.Add.Imm(asm.R3, int32(offset)))
	c.Zero(slot)
	c.ProbeRead(slot.At(0, t.Size), false)
	c.LoadTyped(t, slot.Reg, slot.Off)
	c.Free(slot)
}

// PointsIntoTask makes R3 an address in the current task, which is fetched once. It
// returns false where no number could be loaded from there.
func (c *Context) PointsIntoTask(offset int) bool {
	if _, ok := c.Kernel.Cast(); !ok || !c.LoadsTask() {
		return false
	}
	c.Emit(asm.Mov.Reg(asm.R3, asm.R9))
	if offset != 0 {
		c.Emit(asm.Add.Imm(asm.R3, int32(offset)))
	}
	return true
}

// loadCallersRegister leaves a register of the caller of a system call in R0. They
// are at the end of its stack, and a raw tracepoint's program gets their address:
// where it can be loaded from, that spares two calls of helpers.
func loadCallersRegister(c *Context, name string, t *plylang.Type) {
	offset := c.Kernel.Arch().Registers[name].Offset
	if cast, ok := c.Kernel.Cast(); ok && c.raw() {
		c.Emit(asm.LoadMem(asm.R1, asm.R6, rawRegisters, asm.DWord))
		c.Emit(cast.Call()...)
		c.LoadTyped(t, asm.R0, offset)
		return
	}
	if c.Kernel.Has(kernel.TypedTask) {
		c.Kept("caller's registers", func() {
			c.LoadsTask()
			c.Emit(asm.Mov.Reg(asm.R1, asm.R9))
			c.Call(asm.FnTaskPtRegs)
		})
		c.LoadTyped(t, asm.R0, offset)
		return
	}
	readCallersRegister(c, offset, t)
}

// readCallersRegister does so without typed pointers. A raw tracepoint gets the
// address of the registers.
func readCallersRegister(c *Context, offset int, t *plylang.Type) {
	slot := c.Slot(8)
	if c.raw() {
		c.Emit(asm.LoadMem(asm.R3, asm.R6, rawRegisters, asm.DWord))
	} else {
		c.Call(asm.FnGetCurrentTaskBtf)
		c.Emit(asm.Mov.Reg(asm.R1, asm.R0))
		c.Call(asm.FnTaskPtRegs)
		c.Emit(asm.Mov.Reg(asm.R3, asm.R0))
	}
	if offset != 0 {
		c.Emit(asm.Add.Imm(asm.R3, int32(offset)))
	}
	c.ProbeRead(slot.At(0, t.Size), false)
	c.LoadTyped(t, slot.Reg, slot.Off)
	c.Free(slot)
}

// KeepToKernel makes an address in R3 that may be one of a process one from which nothing
// can be loaded, where that is about to be done. On arm64 the kernel's own test of such
// loads is not enough: a processor hung.
func (c *Context) KeepToKernel() {
	bit := c.Kernel.Arch().KernelBit
	if _, ok := c.Kernel.Cast(); !ok || bit == 0 {
		return
	}
	kernels := c.Label()
	c.Imm(asm.R2, int64(bit))
	c.JumpReg(asm.JSet, asm.R3, asm.R2, kernels)
	c.Emit(asm.Mov.Imm(asm.R3, 0)) // not by setting the bit: it may be a pointer to the verifier
	c.Bind(kernels)
}

// LoadNumber leaves the scalar at the kernel's address in R3 in R0; a fault reads
// as zero.
func (c *Context) LoadNumber(t *plylang.Type) {
	if cast, ok := c.Kernel.Cast(); ok {
		c.Emit(asm.Mov.Reg(asm.R1, asm.R3))
		c.Emit(cast.Call()...)
		c.LoadTyped(t, asm.R0, 0)
		return
	}
	slot := c.Slot(8)
	c.ProbeRead(slot.At(0, t.Size), false)
	c.LoadTyped(t, slot.Reg, slot.Off)
	c.Free(slot)
}
