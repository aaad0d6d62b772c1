package bpfgen

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/plylang"
)

// mem returns the value of an expression that lives in memory. It must not be
// written to.
func (g *gen) mem(x plylang.Expr) mem {
	if n, ok := x.(*plylang.Name); ok && n.Local != nil {
		return g.locals[n.Local]
	}
	m := g.slot(x.Type().Size)
	g.memInto(x, m)
	return m
}

// memInto writes the value of x to dst and clears what is left of dst.
func (g *gen) memInto(x plylang.Expr, dst mem) {
	value := dst.at(0, padded(x.Type().Size))
	if value.size > dst.size {
		g.copy(dst, g.mem(x))
		return
	}
	switch x := x.(type) {
	case *plylang.StringLit:
		g.storeText(dst, x.Value)
		return
	case *plylang.Cond:
		g.choose(x, func(y plylang.Expr) { g.memInto(y, dst) })
		return
	case *plylang.Name:
		if x.Local != nil {
			g.copy(dst, g.locals[x.Local])
			return
		}
		rowOf(x.Func).mem(g, nil, value)
	case *plylang.Call:
		rowOf(x.Func).mem(g, x.Args, value)
	case *plylang.MapRef:
		g.readTableMem(x, value)
	case *plylang.Member, *plylang.Index, *plylang.Unary, *plylang.Cast:
		g.copyPlace(x, value)
	default:
		panic(fmt.Sprintf("bpfgen: no code for a %T in memory", x))
	}
	g.zero(dst.at(value.size, dst.size-value.size))
}

// storeText writes a literal to dst. R1 is lost.
func (g *gen) storeText(dst mem, s string) {
	lit := literal(s)
	for i := range dst.words() {
		if v := lit.constant(i); i > 0 && v == lit.constant(i-1) {
			g.store(dst.word(i), asm.R1)
		} else {
			g.storeImm(dst.word(i), v)
		}
	}
}

// A text is a string operand: a literal, or memory.
type text struct {
	lit   string
	isLit bool
	m     mem
}

func literal(s string) text { return text{lit: s, isLit: true} }

func (g *gen) text(x plylang.Expr) text {
	if s, ok := x.(*plylang.StringLit); ok {
		return literal(s.Value)
	}
	return text{m: g.mem(x)}
}

func (t text) words() int {
	if t.isLit {
		return padded(len(t.lit)) / 8
	}
	return t.m.words()
}

// known returns word i of t where the script tells it.
func (t text) known(i int) (v int64, ok bool) {
	return t.constant(i), t.isLit || i >= t.words()
}

// constant returns word i of a literal; past the end all is NUL.
func (t text) constant(i int) int64 {
	var word [8]byte
	if 8*i < len(t.lit) {
		copy(word[:], t.lit[8*i:])
	}
	return int64(binary.LittleEndian.Uint64(word[:]))
}

// loadWord puts word i of t into a register; a string is followed by NULs.
func (g *gen) loadWord(reg asm.Register, t text, i int) {
	if v, ok := t.known(i); ok {
		g.imm(reg, v)
		return
	}
	g.load(reg, t.m.word(i))
}

// compareText goes to label if x op y holds for two strings, or other values
// in memory; op is JEq or JNE.
func (g *gen) compareText(x, y plylang.Expr, label string, op asm.JumpOp) {
	a, b := g.text(x), g.text(y)
	differ := label
	if op == asm.JEq {
		differ = g.label()
	}
	for i := range max(a.words(), b.words()) {
		g.loadWord(asm.R1, a, i)
		if v, ok := b.known(i); ok && v == int64(int32(v)) {
			g.jump(asm.JNE, asm.R1, int32(v), differ)
			continue
		}
		g.loadWord(asm.R2, b, i)
		g.jumpReg(asm.JNE, asm.R1, asm.R2, differ)
	}
	if op == asm.JEq {
		g.goto_(label)
		g.bind(differ)
	}
}

// orderText leaves -1, 0 or 1 in R0, as the first n bytes of a come before,
// equal or follow those of b; n < 0 is all of them. The first words that
// differ decide, as big-endian numbers.
func (g *gen) orderText(a, b text, n int) {
	differ, end := g.label(), g.label()
	words := max(a.words(), b.words())
	if n >= 0 {
		words = min(words, padded(n)/8)
	}
	for i := range words {
		g.loadWord(asm.R1, a, i)
		g.loadWord(asm.R2, b, i)
		if rest := n - 8*i; n >= 0 && rest < 8 {
			g.imm(asm.R3, int64(1)<<(8*rest)-1)
			g.emit(asm.And.Reg(asm.R1, asm.R3), asm.And.Reg(asm.R2, asm.R3))
		}
		g.jumpReg(asm.JNE, asm.R1, asm.R2, differ)
	}
	g.emit(asm.Mov.Imm(asm.R0, 0))
	g.goto_(end)
	g.bind(differ)
	g.emit(
		asm.HostTo(asm.BE, asm.R1, asm.DWord),
		asm.HostTo(asm.BE, asm.R2, asm.DWord),
		asm.Mov.Imm(asm.R0, 1),
	)
	g.jumpReg(asm.JGT, asm.R1, asm.R2, end)
	g.emit(asm.Mov.Imm(asm.R0, -1))
	g.bind(end)
}

// length leaves the length of a string in R0. A word whose last byte is not
// NUL is full; the bytes of the first one that is not full are counted.
func (g *gen) length(m mem) {
	last, end := g.label(), g.label()
	for i := range m.words() {
		g.load(asm.R1, m.word(i))
		g.emit(asm.Mov.Imm(asm.R0, int32(8*i)), asm.Mov.Reg(asm.R2, asm.R1), asm.RSh.Imm(asm.R2, 56))
		g.jump(asm.JEq, asm.R2, 0, last)
	}
	g.emit(asm.Mov.Imm(asm.R0, int32(8*m.words())))
	g.goto_(end)
	g.bind(last)
	for range 7 {
		g.jump(asm.JEq, asm.R1, 0, end)
		g.emit(asm.Add.Imm(asm.R0, 1), asm.RSh.Imm(asm.R1, 8))
	}
	g.bind(end)
}
