package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/plylang"
)

// What the tracepoints of all system calls tell of a call. A program with a
// record finds the number and then the arguments or the result in it. A raw
// tracepoint's program gets two arguments: the registers of the caller, and the
// number at entering, the result at leaving. These places are the same in all
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
func (k syscallKind) number(g *gen) {
	switch {
	case !g.raw():
		g.Emit(asm.LoadMem(asm.R0, asm.R6, recordNumber, asm.DWord))
	case k.exit:
		loadCallersRegister(g, g.kernel.Arch().SyscallNr, plylang.S32)
	default:
		g.Emit(asm.LoadMem(asm.R0, asm.R6, rawNumber, asm.DWord))
	}
}

// loadResult leaves the call's result in a register, and the others alone.
func loadResult(g *gen, reg asm.Register) {
	g.Emit(asm.LoadMem(reg, asm.R6, emit.Pick(g.raw(), int16(rawResult), recordResult), asm.DWord))
}

// loadCallArg leaves argument i of the call in R0.
func loadCallArg(g *gen, i int) {
	if g.raw() {
		loadCallersRegister(g, g.kernel.Arch().SyscallArgs[i], plylang.U64)
		return
	}
	g.Emit(asm.LoadMem(asm.R0, asm.R6, int16(recordArgs+8*i), asm.DWord))
}

// loadCallersRegister leaves a register of the caller in R0. A record does not
// hold the registers; they are then the task's.
func loadCallersRegister(g *gen, name string, t *plylang.Type) {
	slot := g.Slot(8)
	if g.raw() {
		g.Emit(asm.LoadMem(asm.R3, asm.R6, rawRegisters, asm.DWord))
	} else {
		g.Call(asm.FnGetCurrentTaskBtf)
		g.Emit(asm.Mov.Reg(asm.R1, asm.R0))
		g.Call(asm.FnTaskPtRegs)
		g.Emit(asm.Mov.Reg(asm.R3, asm.R0))
	}
	if off := g.kernel.Arch().Registers[name].Offset; off != 0 {
		g.Emit(asm.Add.Imm(asm.R3, int32(off)))
	}
	g.ProbeRead(slot.At(0, t.Size), false)
	g.LoadTyped(t, slot.Reg, slot.Off)
	g.Free(slot)
}

// field leaves a field of the tracepoint of a single call in R0. The record of
// such a tracepoint has the same things at the same places as that of all
// calls.
func (k syscallKind) field(g *gen, f plylang.Field) {
	switch {
	case !g.raw() || f.Offset < 0:
		loadField(g, f)
		return
	case f.Offset < recordArgs:
		k.number(g)
	case k.exit:
		loadResult(g, asm.R0)
	default:
		loadCallArg(g, (f.Offset-recordArgs)/8)
	}
	g.Extend(f.Type)
}
