package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// extremeRounds is how often an update of an extreme is tried again when
// others change the value at the same time. Each round that fails has seen a
// larger value, so this many are not needed twice.
const extremeRounds = 8

// An extreme is min or max. A maximum of signed numbers is stored with its top
// bit flipped, so that the order of all numbers is the order of unsigned ones; a
// minimum is the complement of that.
type extreme struct{ minimum bool }

func extremeRow(name, doc string, minimum bool) *builtin {
	e := extreme{minimum}
	return &builtin{
		Func: plylang.Func{Name: name, Doc: doc, Params: []plylang.Param{argument}},
		agg: &aggregation{
			Values: object.Values{
				Shape: object.ShapeNumber, Metrics: asGauge, Reduce: object.ReduceMax, Marks: true,
				Note: "the extreme since the start", Number: e.number, Written: extremeWritten,
			},
			words: 1, exchanges: true, update: e.keep, first: e.first,
		},
	}
}

// number returns the number behind a stored extreme.
func (e extreme) number(value []byte, signed bool) uint64 {
	word := object.Word(value, 0)
	if e.minimum {
		word = ^word
	}
	if signed {
		word ^= 1 << 63
	}
	return word
}

// extremeWritten says whether there is an extreme: a cell is marked only by the
// number that is stored as 0.
func extremeWritten(mark uint64, value []byte) bool { return mark != 0 || object.Word(value, 0) != 0 }

// transform leaves x in R1 as it is stored.
func (e extreme) transform(g *gen, m *object.Map, x emit.Mem) {
	g.Load(asm.R1, x)
	if m.Value.Signed {
		g.Imm(asm.R2, -1<<63)
		g.Emit(asm.Xor.Reg(asm.R1, asm.R2))
	}
	if e.minimum {
		g.Emit(asm.Xor.Imm(asm.R1, -1))
	}
}

func (e extreme) first(g *gen, m *object.Map, x, dst emit.Mem) {
	e.transform(g, m, x)
	g.Store(dst, asm.R1)
}

// keep keeps the larger of the stored number and x, both transformed.
// An update that never wins is counted as refused. The number that becomes 0
// leaves a cell as it is, but for the mark.
func (e extreme) keep(g *gen, m *object.Map, x emit.Mem) {
	done := g.Label()
	e.transform(g, m, x)
	if m.Marked() {
		other := g.Label()
		g.Jump(asm.JNE, asm.R1, 0, other)
		g.StoreImm(emit.Mem{Reg: asm.R7, Off: -mark, Size: 8}, 1)
		g.Goto(done)
		g.Bind(other)
	}
	g.Load(asm.R0, emit.Mem{Reg: asm.R7, Off: 0, Size: 8})
	if !g.kernel.Has(kernel.FetchingAtomics) {
		g.JumpReg(asm.JGE, asm.R0, asm.R1, done)
		g.Store(emit.Mem{Reg: asm.R7, Off: 0, Size: 8}, asm.R1)
		g.Bind(done)
		return
	}
	for range extremeRounds {
		g.JumpReg(asm.JGE, asm.R0, asm.R1, done)
		g.Emit(asm.Mov.Reg(asm.R2, asm.R0))
		g.Atomic(asm.CmpXchg, asm.R7, 0, asm.R1)
		g.JumpReg(asm.JEq, asm.R0, asm.R2, done)
	}
	g.increment(1 + m.ID)
	g.Bind(done)
}
