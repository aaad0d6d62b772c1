package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/object"
)

// exponentialBucket leaves in R0 how many ends are below the number in R1: those of
// a native histogram, and the others.
func (g *gen) exponentialBucket(h *object.Exponential, unsigned bool) {
	more := h.More.Len() > 1
	if more {
		g.findBound(h.More.Negative, h.More.Upper, len(h.More.Negative), unsigned)
		g.Emit(asm.Mov.Reg(asm.R4, asm.R0))
	}
	end, negative := g.Label(), g.Label()
	signed := len(h.Negative.Ends) > 1
	if signed {
		g.Jump(asm.JSLT, asm.R1, 0, negative)
	}
	g.octaveBucket(&h.Positive)
	g.Emit(asm.Add.Imm(asm.R0, int32(h.Zero)))
	if signed {
		g.Goto(end)
		g.Bind(negative)
		g.Emit(asm.Neg.Imm(asm.R1, 0))
		g.octaveBucket(&h.Negative)
		g.Emit(asm.Neg.Imm(asm.R0, 0), asm.Add.Imm(asm.R0, int32(h.Zero)))
		g.Bind(end)
	}
	if more {
		g.Emit(asm.Add.Reg(asm.R0, asm.R4))
	}
}

// octaveBucket leaves in R0 the bucket of the number in R1, which is not negative.
// R1, R2 and R3 are lost.
//
// The octave is found by comparing, which costs little: jumps that go the same way
// as the last time are free, and most of a histogram's numbers are of few octaves.
// Within the octave they are spread, and half of the jumps would be guessed wrong. So
// the thresholds below the number are counted without any: the sign of a difference
// is a number, 0 or 1.
func (g *gen) octaveBucket(o *object.Octaves) {
	found, end, above := g.Label(), g.Label(), g.Label()
	compareTree(g, o.Ends, 0, asm.JLE, found)
	g.Bind(found)
	if o.Schema == 0 {
		return
	}
	g.Jump(asm.JEq, asm.R0, 0, end)
	if o.Cut() {
		g.Jump(asm.JEq, asm.R0, int32(len(o.Ends)), above)
	}
	g.Emit(
		asm.Mov.Imm(asm.R2, int32(o.Shift+1)),
		asm.Sub.Reg(asm.R2, asm.R0),
		asm.LSh.Reg(asm.R1, asm.R2),
		asm.Sub.Imm(asm.R0, 1),
		asm.LSh.Imm(asm.R0, int32(o.Schema)),
		asm.Add.Imm(asm.R0, 1),
	)
	for _, t := range o.Within {
		g.Imm(asm.R2, int64(t))
		g.Emit(asm.Sub.Reg(asm.R2, asm.R1), asm.RSh.Imm(asm.R2, 63), asm.Add.Reg(asm.R0, asm.R2))
	}
	if o.Cut() {
		g.Goto(end)
		g.Bind(above)
		compareTree(g, o.Above, 1+(len(o.Ends)-1)<<o.Schema, asm.JLE, end)
	}
	g.Bind(end)
}
