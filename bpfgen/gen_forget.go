package bpfgen

import (
	"math/bits"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/plylang"
)

// Making the verifier forget
//
// The verifier follows a program along all of its paths, and gives up one where
// it has seen the same state before. A path that leaves a constant behind (the
// length of a string, 1 for true, a flag that was set) is in a state of its own,
// and n of them in a row are 2^n and more states, once a comparison looks at
// what became of them. It keeps track of registers and of what is stored of them
// in aligned words on the stack, but not of parts in the middle of a word: what
// has been there is any number.
//
// A clause with few paths is left as it is: it costs instructions at run time.

// fewForks is up to how many doublings of its paths a clause keeps its constants.
const fewForks = 10

// forget makes the verifier forget what it knows of R0, which is below 65536.
// Otherwise it would follow the rest of the program once for each bucket, and
// for all pairs of buckets of two histograms, until it gives up.
func (g *gen) forget() {
	slot := g.Slot(8)
	g.Emit(
		asm.StoreMem(slot.Reg, int16(slot.Off+2), asm.R0, asm.Half),
		asm.LoadMem(asm.R0, slot.Reg, int16(slot.Off+2), asm.Half),
	)
	g.Free(slot)
}

// forgetSmall forgets the number from -1 to 65534 in R0, in a clause with many
// paths. A stored 0 would still be known as one.
func (g *gen) forgetSmall() {
	if !g.forks {
		return
	}
	g.Emit(asm.Add.Imm(asm.R0, 2))
	g.forget()
	g.Emit(asm.Sub.Imm(asm.R0, 2))
}

// forgetAny is forgetSmall for any number. R1 is lost.
func (g *gen) forgetAny() {
	if !g.forks {
		return
	}
	const notZero = 0x2545f491
	slot := g.Slot(8)
	g.Emit(asm.Mov.Reg(asm.R1, asm.R0), asm.RSh.Imm(asm.R1, 32))
	for _, half := range []asm.Register{asm.R0, asm.R1} {
		g.Emit(
			asm.Xor.Imm(half, notZero),
			asm.StoreMem(slot.Reg, int16(slot.Off+4), half, asm.Word),
			asm.LoadMem(half, slot.Reg, int16(slot.Off+4), asm.Word),
			asm.Xor.Imm(half, notZero),
		)
	}
	g.Emit(asm.LSh.Imm(asm.R1, 32), asm.Or.Reg(asm.R0, asm.R1))
	g.Free(slot)
}

// A forkCount counts how often the paths of a clause double.
type forkCount struct {
	n     int
	times int  // rounds of the loops around
	inner bool // in a statement that may not run
}

// forksOf says how often the paths of a clause double that leave constants.
func forksOf(c *plylang.Clause) int {
	f := &forkCount{times: 1}
	if c.Pred != nil {
		f.node(c.Pred, true)
	}
	f.node(c.Body, false)
	return f.n
}

// paths are the logarithms of how many results functions have that are made by
// as many paths.
var paths = map[string]int{"log2": 6, "strcmp": 2, "strncmp": 2, "startswith": 1}

// node counts what is in n; condition says that its truth is only jumped by.
func (f *forkCount) node(n plylang.Node, condition bool) {
	switch x := n.(type) {
	case *plylang.Unroll:
		before := f.times
		f.times *= int(x.Count.Value)
		f.node(x.Body, false)
		f.times = before
		return
	case *plylang.If:
		f.ifStmt(x)
		return
	case *plylang.Assign:
		if name, ok := x.LHS.(*plylang.Name); ok && f.inner && name.Local != nil {
			f.n += f.times
		}
	case *plylang.Cond:
		f.n += f.times
		f.node(x.X, true)
		f.node(x.Then, false)
		f.node(x.Else, false)
		return
	case *plylang.Call:
		if x.Name == "strlen" {
			f.n += f.times * bits.Len(uint(x.Args[0].Type().Size))
		}
		f.n += f.times * paths[x.Name]
	case *plylang.In:
		f.value(condition)
	case *plylang.Binary:
		if f.truth(x, condition) {
			return
		}
	case *plylang.Unary:
		if x.Op == plylang.NOT {
			f.value(condition)
			f.node(x.X, true)
			return
		}
	}
	f.children(n)
}

// value counts a truth that is computed with.
func (f *forkCount) value(condition bool) {
	if !condition {
		f.n += f.times
	}
}

// truth counts a comparison, or what && and its kin combine; false: x is neither.
func (f *forkCount) truth(x *plylang.Binary, condition bool) bool {
	_, compared := comparisons[x.Op]
	logic := x.Op == plylang.LAND || x.Op == plylang.LOR
	if !compared && !logic {
		return false
	}
	f.value(condition)
	f.node(x.X, logic)
	f.node(x.Y, logic)
	return true
}

func (f *forkCount) ifStmt(s *plylang.If) {
	f.node(s.Cond, true)
	before := f.inner
	f.inner = true
	f.node(s.Then, false)
	if s.Else != nil {
		f.node(s.Else, false)
	}
	f.inner = before
}

func (f *forkCount) children(n plylang.Node) {
	plylang.Walk(n, func(child plylang.Node) bool {
		if child == n {
			return true
		}
		f.node(child, false)
		return false
	})
}
