package bpfgen

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/plylang"
)

// mem returns the value of an expression that lives in memory. It must not be
// written to.
func (g *gen) mem(x plylang.Expr) emit.Mem {
	if n, ok := x.(*plylang.Name); ok && n.Local != nil {
		return g.locals[n.Local]
	}
	m := g.Slot(x.Type().Size)
	g.memInto(x, m)
	return m
}

// memInto writes the value of x to dst and clears what is left of dst.
func (g *gen) memInto(x plylang.Expr, dst emit.Mem) {
	value := dst.At(0, emit.Padded(x.Type().Size))
	if value.Size > dst.Size {
		g.Copy(dst, g.mem(x))
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
			g.Copy(dst, g.locals[x.Local])
			return
		}
		rowOf(x.Func).mem(g, nil, value)
	case *plylang.Call:
		rowOf(x.Func).mem(g, x.Args, value)
	case *plylang.MapRef:
		g.readTableMem(x, value)
	case *plylang.Member, *plylang.Index, *plylang.Unary, *plylang.Cast:
		g.copyLocation(x, value)
	default:
		panic(fmt.Sprintf("bpfgen: no code for a %T in memory", x))
	}
	g.Zero(dst.At(value.Size, dst.Size-value.Size))
}

// storeText writes a literal to dst. R1 is lost.
func (g *gen) storeText(dst emit.Mem, s string) {
	lit := literal(s)
	for i := range dst.Words() {
		if v := lit.constant(i); i > 0 && v == lit.constant(i-1) {
			g.Store(dst.Word(i), asm.R1)
		} else {
			g.StoreImm(dst.Word(i), v)
		}
	}
}

// A text is a string operand: a literal, or memory.
type text struct {
	lit   string
	isLit bool
	m     emit.Mem
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
		return emit.Padded(len(t.lit)) / 8
	}
	return t.m.Words()
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
		g.Imm(reg, v)
		return
	}
	g.Load(reg, t.m.Word(i))
}

// compareText goes to label if x op y holds for two strings, or other values
// in memory; op is JEq or JNE.
func (g *gen) compareText(x, y plylang.Expr, label string, op asm.JumpOp) {
	if g.compareComm(x, y, label, op) {
		return
	}
	g.compareWords(g.text(x), g.text(y), label, op)
}

// compareWords is compareText for operands that were evaluated.
func (g *gen) compareWords(a, b text, label string, op asm.JumpOp) {
	differ := label
	if op == asm.JEq {
		differ = g.Label()
	}
	for i := range max(a.words(), b.words()) {
		g.loadWord(asm.R1, a, i)
		if v, ok := b.known(i); ok && v == int64(int32(v)) {
			g.Jump(asm.JNE, asm.R1, int32(v), differ)
			continue
		}
		g.loadWord(asm.R2, b, i)
		g.JumpReg(asm.JNE, asm.R1, asm.R2, differ)
	}
	if op == asm.JEq {
		g.Goto(label)
		g.Bind(differ)
	}
}

// orderText leaves -1, 0 or 1 in R0, as the first n bytes of a come before,
// equal or follow those of b; n < 0 is all of them. The first words that
// differ decide, as big-endian numbers.
func (g *gen) orderText(a, b text, n int) {
	differ, end := g.Label(), g.Label()
	words := max(a.words(), b.words())
	if n >= 0 {
		words = min(words, emit.Padded(n)/8)
	}
	for i := range words {
		g.loadWord(asm.R1, a, i)
		g.loadWord(asm.R2, b, i)
		if rest := n - 8*i; n >= 0 && rest < 8 {
			g.Imm(asm.R3, int64(1)<<(8*rest)-1)
			g.Emit(asm.And.Reg(asm.R1, asm.R3), asm.And.Reg(asm.R2, asm.R3))
		}
		g.JumpReg(asm.JNE, asm.R1, asm.R2, differ)
	}
	g.Emit(asm.Mov.Imm(asm.R0, 0))
	g.Goto(end)
	g.Bind(differ)
	g.Emit(
		asm.HostTo(asm.BE, asm.R1, asm.DWord),
		asm.HostTo(asm.BE, asm.R2, asm.DWord),
		asm.Mov.Imm(asm.R0, 1),
	)
	g.JumpReg(asm.JGT, asm.R1, asm.R2, end)
	g.Emit(asm.Mov.Imm(asm.R0, -1))
	g.Bind(end)
	g.forgetSmall()
}

// comparePrefix goes to no unless a begins with the string in b, which may be of
// any length. In the word of b that has its NUL, the bytes from there on do not
// count: the lowest bit that the first line leaves is in the first byte that is 0.
func (g *gen) comparePrefix(a, b text, no string) {
	yes := g.Label()
	for i := range b.words() {
		g.loadWord(asm.R1, a, i)
		g.loadWord(asm.R2, b, i)
		last := g.Label()
		next := g.Label()
		g.Emit(asm.Xor.Reg(asm.R1, asm.R2))
		g.Imm(asm.R3, 0x0101010101010101)
		g.Emit(asm.Mov.Reg(asm.R4, asm.R2), asm.Sub.Reg(asm.R4, asm.R3), asm.Xor.Imm(asm.R2, -1), asm.And.Reg(asm.R4, asm.R2), asm.LSh.Imm(asm.R3, 7), asm.And.Reg(asm.R4, asm.R3))
		g.Jump(asm.JNE, asm.R4, 0, last)
		g.Jump(asm.JNE, asm.R1, 0, no)
		g.Goto(next)
		g.Bind(last)
		g.Emit(asm.Mov.Reg(asm.R2, asm.R4), asm.Neg.Imm(asm.R2, 0), asm.And.Reg(asm.R4, asm.R2), asm.RSh.Imm(asm.R4, 7), asm.Sub.Imm(asm.R4, 1), asm.And.Reg(asm.R1, asm.R4))
		g.Jump(asm.JNE, asm.R1, 0, no)
		g.Goto(yes)
		g.Bind(next)
	}
	g.Bind(yes)
}

// length leaves the length of a string in R0. A word whose last byte is not
// NUL is full; the bytes of the first one that is not full are counted.
func (g *gen) length(m emit.Mem) {
	last, end := g.Label(), g.Label()
	for i := range m.Words() {
		g.Load(asm.R1, m.Word(i))
		g.Emit(asm.Mov.Imm(asm.R0, int32(8*i)), asm.Mov.Reg(asm.R2, asm.R1), asm.RSh.Imm(asm.R2, 56))
		g.Jump(asm.JEq, asm.R2, 0, last)
	}
	g.Emit(asm.Mov.Imm(asm.R0, int32(8*m.Words())))
	g.Goto(end)
	g.Bind(last)
	for range 7 {
		g.Jump(asm.JEq, asm.R1, 0, end)
		g.Emit(asm.Add.Imm(asm.R0, 1), asm.RSh.Imm(asm.R1, 8))
	}
	g.Bind(end)
	g.forgetSmall()
}
