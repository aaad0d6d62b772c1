package probe

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/plylang"
)

// What the tracepoints of all system calls tell of a call. A program with a
// record finds the number and then the arguments or the result in it. A raw
// tracepoint's program gets two arguments: the registers of the caller, and the
// number at entering, the result at leaving. These offsets are the same in all
// kernels.
const (
	recordNumber = 8
	recordArgs   = 16
	recordResult = 16

	rawRegisters = 0
	rawNumber    = 8
	rawResult    = 8
)

// number leaves the call's number in R0.
func (k syscallKind) number(c *Context) {
	switch {
	case !c.raw():
		c.Emit(asm.LoadMem(asm.R0, asm.R6, recordNumber, asm.DWord))
	case k.exit:
		c.Kept("number of the call", func() { loadCallersRegister(c, c.Kernel.Arch().SyscallNr, plylang.S32) })
	default:
		c.Emit(asm.LoadMem(asm.R0, asm.R6, rawNumber, asm.DWord))
	}
}

// loadResult leaves the call's result in a register, and the others alone.
func loadResult(c *Context, reg asm.Register) {
	c.Emit(asm.LoadMem(reg, asm.R6, emit.Pick(c.raw(), int16(rawResult), recordResult), asm.DWord))
}

// loadCallArg leaves argument i of the call in R0.
func loadCallArg(c *Context, i int) {
	if c.raw() {
		loadCallersRegister(c, c.Kernel.Arch().SyscallArgs[i], plylang.U64)
		return
	}
	c.Emit(asm.LoadMem(asm.R0, asm.R6, int16(recordArgs+8*i), asm.DWord))
}

// field leaves a field of the tracepoint of a single call in R0. The record of
// such a tracepoint has the same things at the same offsets as that of all
// calls.
func (k syscallKind) field(c *Context, f plylang.Field) {
	switch {
	case !c.raw() || f.Offset < 0:
		loadField(c, f)
		return
	case f.Offset < recordArgs:
		k.number(c)
	case k.exit:
		loadResult(c, asm.R0)
	default:
		loadCallArg(c, (f.Offset-recordArgs)/8)
	}
	c.Extend(f.Type)
}
