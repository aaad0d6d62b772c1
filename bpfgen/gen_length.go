package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/plylang"
)

// Text whose length is known only when the probe fires has the size of text
// whose length nobody says. The length is loaded anew where it is needed,
// because kernels before 5.12 forget the bounds of a number that they have seen
// stored.

// readTextUpTo writes str(p, n) to dst, for an n that is no constant: at most
// size bytes, and none where n is less than 1. Then nothing is read, for the address
// of no text may be none: a read that fails is counted.
func (g *gen) readTextUpTo(args []plylang.Expr, dst emit.Mem, size int) {
	p, n := args[0], args[1]
	g.expr(n)
	length := g.Spill()
	if p.Type().Kind == plylang.String {
		g.memInto(p, dst)
		g.cutText(dst, length)
	} else {
		g.expr(p)
		g.Emit(asm.Mov.Reg(asm.R3, asm.R0))
		g.Zero(dst)
		end := g.Label()
		g.loadLength(length, size)
		g.Jump(asm.JEq, asm.R2, 0, end)
		g.Emit(asm.Add.Imm(asm.R2, 1))
		g.Address(asm.R1, dst)
		g.CallReader(emit.Pick(p.Type().User, asm.FnProbeReadUserStr, asm.FnProbeReadKernelStr))
		g.Bind(end)
	}
	g.Free(length)
}

// loadLength makes R2 the length in a slot, brought between 0 and most. It is
// taken as signed whatever its type, for arg2 - 1 where arg2 is an unsigned 0.
func (g *gen) loadLength(length emit.Mem, most int) {
	positive, fits := g.Label(), g.Label()
	g.Load(asm.R2, length)
	g.Jump(asm.JSGT, asm.R2, 0, positive)
	g.Emit(asm.Mov.Imm(asm.R2, 0))
	g.Bind(positive)
	g.Jump(asm.JLE, asm.R2, int32(most), fits)
	g.Emit(asm.Mov.Imm(asm.R2, int32(most)))
	g.Bind(fits)
}

// cutText clears all of m but its first bytes, as many as the slot says. From
// the last word on, words are cleared up to the one that is cut.
func (g *gen) cutText(m, length emit.Mem) {
	end := g.Label()
	g.loadLength(length, m.Size)
	for i := m.Words() - 1; i >= 0; i-- {
		cut, next := g.Label(), g.Label()
		g.Jump(asm.JGE, asm.R2, int32(8*(i+1)), end)
		g.Jump(asm.JGT, asm.R2, int32(8*i), cut)
		g.Emit(asm.Mov.Imm(asm.R1, 0))
		g.Store(m.Word(i), asm.R1)
		g.Goto(next)
		g.Bind(cut)
		g.Emit(
			asm.Sub.Imm(asm.R2, int32(8*i)),
			asm.LSh.Imm(asm.R2, 3),
			asm.Mov.Imm(asm.R1, 1),
			asm.LSh.Reg(asm.R1, asm.R2),
			asm.Sub.Imm(asm.R1, 1),
		)
		g.Load(asm.R2, m.Word(i))
		g.Emit(asm.And.Reg(asm.R1, asm.R2))
		g.Store(m.Word(i), asm.R1)
		g.Goto(end)
		g.Bind(next)
	}
	g.Bind(end)
}

// keepBytes clears all of a word but its first n bytes.
func (g *gen) keepBytes(word emit.Mem, n int) {
	g.Load(asm.R1, word)
	g.Imm(asm.R2, int64(1)<<(8*n)-1)
	g.Emit(asm.And.Reg(asm.R1, asm.R2))
	g.Store(word, asm.R1)
}
