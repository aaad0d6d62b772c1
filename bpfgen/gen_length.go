package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/plylang"
)

// Text whose length is known only when the probe fires has the size of text
// whose length nobody says. The length is loaded anew where it is needed,
// because kernels before 5.12 forget the bounds of a number that they have seen
// stored.

// readTextUpTo writes str(p, n) to dst, for an n that is no constant: at most
// size bytes, and none where n is less than 1.
func (g *gen) readTextUpTo(args []plylang.Expr, dst mem, size int) {
	p, n := args[0], args[1]
	g.expr(n)
	length := g.spill()
	if p.Type().Kind == plylang.String {
		g.memInto(p, dst)
		g.cutText(dst, length)
	} else {
		g.expr(p)
		g.emit(asm.Mov.Reg(asm.R3, asm.R0))
		g.zero(dst)
		g.loadLength(length, size)
		g.emit(asm.Add.Imm(asm.R2, 1))
		g.address(asm.R1, dst)
		g.call(pick(p.Type().User, asm.FnProbeReadUserStr, asm.FnProbeReadKernelStr))
	}
	g.free(length)
}

// loadLength makes R2 the length in a slot, brought between 0 and most. It is
// taken as signed whatever its type, for arg2 - 1 where arg2 is an unsigned 0.
func (g *gen) loadLength(length mem, most int) {
	positive, fits := g.label(), g.label()
	g.load(asm.R2, length)
	g.jump(asm.JSGT, asm.R2, 0, positive)
	g.emit(asm.Mov.Imm(asm.R2, 0))
	g.bind(positive)
	g.jump(asm.JLE, asm.R2, int32(most), fits)
	g.emit(asm.Mov.Imm(asm.R2, int32(most)))
	g.bind(fits)
}

// cutText clears all of m but its first bytes, as many as the slot says. From
// the last word on, words are cleared up to the one that is cut.
func (g *gen) cutText(m, length mem) {
	end := g.label()
	g.loadLength(length, m.size)
	for i := m.words() - 1; i >= 0; i-- {
		cut, next := g.label(), g.label()
		g.jump(asm.JGE, asm.R2, int32(8*(i+1)), end)
		g.jump(asm.JGT, asm.R2, int32(8*i), cut)
		g.emit(asm.Mov.Imm(asm.R1, 0))
		g.store(m.word(i), asm.R1)
		g.goto_(next)
		g.bind(cut)
		g.emit(
			asm.Sub.Imm(asm.R2, int32(8*i)),
			asm.LSh.Imm(asm.R2, 3),
			asm.Mov.Imm(asm.R1, 1),
			asm.LSh.Reg(asm.R1, asm.R2),
			asm.Sub.Imm(asm.R1, 1),
		)
		g.load(asm.R2, m.word(i))
		g.emit(asm.And.Reg(asm.R1, asm.R2))
		g.store(m.word(i), asm.R1)
		g.goto_(end)
		g.bind(next)
	}
	g.bind(end)
}

// keepBytes clears all of a word but its first n bytes.
func (g *gen) keepBytes(word mem, n int) {
	g.load(asm.R1, word)
	g.imm(asm.R2, int64(1)<<(8*n)-1)
	g.emit(asm.And.Reg(asm.R1, asm.R2))
	g.store(word, asm.R1)
}
