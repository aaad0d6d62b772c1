package bpfgen

import (
	"strings"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/plylang"
)

// The name of the current task
//
// It is loaded from the task where the kernel allows that. Another thread may be
// writing it: what is behind the first NUL does not count, so that no key ever has
// two spellings.

// commSize is TASK_COMM_LEN.
const commSize = 16

// comm writes the thread's name to dst.
func (g *gen) comm(dst emit.Mem) {
	if !g.loadsComm() {
		g.copyComm(dst)
		return
	}
	end := g.Label()
	g.loadComm(asm.R1, 0, asm.DWord)
	g.cutWord()
	g.Store(dst.Word(0), asm.R1)
	g.Emit(asm.Mov.Imm(asm.R1, 0))
	g.Jump(asm.JNE, asm.R4, 0, end)
	g.loadComm(asm.R1, 8, asm.DWord)
	g.cutWord()
	g.Bind(end)
	g.Store(dst.Word(1), asm.R1)
}

// copyComm has the kernel write the name. Linux 6.1 leaves what is behind the
// name's NUL as it was.
func (g *gen) copyComm(dst emit.Mem) {
	g.Zero(dst)
	g.Address(asm.R1, dst)
	g.Emit(asm.Mov.Imm(asm.R2, commSize))
	g.Call(asm.FnGetCurrentComm)
}

// loadsComm prepares loadComm. It returns false where this kernel has no way.
func (g *gen) loadsComm() bool {
	_, err := g.kernel.FieldOffset("task_struct", "comm")
	return err == nil && g.LoadsTask()
}

// loadComm loads some bytes of the name.
func (g *gen) loadComm(reg asm.Register, at int, size asm.Size) {
	offset, _ := g.kernel.FieldOffset("task_struct", "comm")
	g.Emit(asm.LoadMem(reg, asm.R9, int16(offset+at), size))
}

// cutWord clears the bytes of the word in R1 that follow its first NUL, and leaves
// 0 in R4 if there is none. Of each byte that is 0 the highest bit is set in R4, and
// perhaps in bytes behind the first. R2 and R3 are lost.
func (g *gen) cutWord() {
	full := g.Label()
	g.Imm(asm.R3, 0x0101010101010101)
	g.Emit(asm.Mov.Reg(asm.R4, asm.R1), asm.Sub.Reg(asm.R4, asm.R3), asm.Mov.Reg(asm.R2, asm.R1), asm.Xor.Imm(asm.R2, -1),
		asm.And.Reg(asm.R4, asm.R2), asm.LSh.Imm(asm.R3, 7), asm.And.Reg(asm.R4, asm.R3))
	g.Jump(asm.JEq, asm.R4, 0, full)
	g.Emit(asm.Mov.Reg(asm.R2, asm.R4), asm.Neg.Imm(asm.R2, 0), asm.And.Reg(asm.R2, asm.R4),
		asm.RSh.Imm(asm.R2, 7), asm.Sub.Imm(asm.R2, 1), asm.And.Reg(asm.R1, asm.R2))
	g.Bind(full)
}

// compareComm goes to label if the name is the literal, op is JEq, or is not, JNE.
// It returns false where the operands are others, or the name must be copied. Only
// what the literal has, and its NUL, is compared.
func (g *gen) compareComm(x, y plylang.Expr, label string, op asm.JumpOp) bool {
	if _, ok := x.(*plylang.StringLit); ok {
		x, y = y, x
	}
	name, isName := x.(*plylang.Name)
	lit, isLit := y.(*plylang.StringLit)
	if !isName || !isLit || name.Func != &byName["comm"].Func {
		return false
	}
	if len(lit.Value) >= commSize || strings.ContainsRune(lit.Value, 0) || !g.loadsComm() {
		return false
	}
	differ := label
	if op == asm.JEq {
		differ = g.Label()
	}
	for i := range (len(lit.Value) + 8) / 8 {
		g.compareCommWord(literal(lit.Value), i, differ)
	}
	if op == asm.JEq {
		g.Goto(label)
		g.Bind(differ)
	}
	return true
}

// compareCommWord compares the bytes of a word of the name that lit has, or its NUL.
func (g *gen) compareCommWord(lit text, i int, differ string) {
	want, unused := lit.constant(i), 8*(8-min(len(lit.lit)+1-8*i, 8))
	g.loadComm(asm.R1, 8*i, asm.DWord)
	if unused > 0 {
		want <<= unused
		g.Emit(asm.LSh.Imm(asm.R1, int32(unused)))
	}
	if want == int64(int32(want)) {
		g.Jump(asm.JNE, asm.R1, int32(want), differ)
		return
	}
	g.Imm(asm.R2, want)
	g.JumpReg(asm.JNE, asm.R1, asm.R2, differ)
}
