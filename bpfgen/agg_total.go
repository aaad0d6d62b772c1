package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
)

// Totals
//
// What adds up numbers keeps the total in two words: it is the first word of the
// value, plus the last one times 2^object.TotalShift. As long as the number and
// the first word are small, an update adds to the first word only. Otherwise
// everything above the small part goes to the last word. The total is the same
// whenever that happens, so it needs no atomic operation on both words, and the
// words of several CPUs and keys are simply added up.

// addToTotal adds x to the total of the value at R7.
func (g *gen) addToTotal(m *object.Map, x emit.Mem) {
	low, small := emit.Mem{Reg: asm.R7, Size: 8}, g.Label()
	g.Load(asm.R1, x)
	g.Load(asm.R2, low)
	g.jumpIfSmall(m.Value.Signed, small)
	g.carry(m, low)
	g.weighedElse(small, asm.R1)
	g.Atomic(asm.AddAtomic, asm.R7, 0, asm.R1)
}

// jumpIfSmall goes to small if the number in R1 and the word in R2 are, of either
// sign where the number has one. R2 and R3 are lost.
func (g *gen) jumpIfSmall(signed bool, small string) {
	bits := int32(object.TotalShift)
	if signed {
		g.Imm(asm.R3, 1<<object.TotalShift)
		g.Emit(asm.Add.Reg(asm.R2, asm.R3), asm.Add.Reg(asm.R3, asm.R1), asm.Or.Reg(asm.R2, asm.R3))
		bits++
	} else {
		g.Emit(asm.Or.Reg(asm.R2, asm.R1))
	}
	g.Emit(asm.RSh.Imm(asm.R2, bits))
	g.Jump(asm.JEq, asm.R2, 0, small)
}

// carry adds to the last word what exceeds the small part of the number in R1
// and of the first word, and leaves in R1 what the first word changes by.
func (g *gen) carry(m *object.Map, low emit.Mem) {
	last := m.Size - 8
	g.splitTotal(m.Value.Signed)
	g.weigh(asm.R1, asm.R2)
	g.Atomic(asm.AddAtomic, asm.R7, last, asm.R2)
	g.Load(asm.R2, low)
	g.Emit(asm.ArSh.Imm(asm.R2, object.TotalShift))
	g.Atomic(asm.AddAtomic, asm.R7, last, asm.R2)
	g.Emit(asm.LSh.Imm(asm.R2, object.TotalShift), asm.Sub.Reg(asm.R1, asm.R2))
}

// splitTotal leaves in R2 what of the number in R1 belongs to the last word of a
// total, and in R1 the rest.
func (g *gen) splitTotal(signed bool) {
	g.Emit(
		asm.Mov.Reg(asm.R2, asm.R1),
		emit.Pick(signed, asm.ArSh, asm.RSh).Imm(asm.R2, object.TotalShift),
		asm.LSh.Imm(asm.R1, 64-object.TotalShift),
		asm.RSh.Imm(asm.R1, 64-object.TotalShift),
	)
}

// firstTotal makes the total of a new value at dst.
func firstTotal(g *gen, m *object.Map, x, dst emit.Mem) {
	g.Load(asm.R1, x)
	g.splitTotal(m.Value.Signed)
	g.weigh(asm.R1, asm.R2)
	g.Store(dst.At(0, 8), asm.R1)
	g.Store(dst.At(m.Size-8, 8), asm.R2)
}
