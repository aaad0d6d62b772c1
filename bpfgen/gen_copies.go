package bpfgen

import (
	"slices"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
)

// Copies
//
// A value of several words that all CPUs store to would be read torn: half of
// one text and half of another. So a keyless map of such values has room for
// copies of its own for each program that stores to it, on each CPU: a program
// does not run twice at the same time on one CPU, so nobody else writes there.
// The copies are two, which are written in turn, and which of all copies is the
// newest one stands in the word that otherwise only says that there is a value:
//
//	word 0:          the turn in which the newest copy was written << 32 | offset of its pair
//	pair, at offset: the turn that began last; the copy of even turns; the copy of odd ones
//
// A reader copies the newest copy, and takes it unless the pair is two turns
// further by then: the copy may have been overwritten meanwhile. That takes an
// interrupt of the reader and two stores within it.

// copyRounds is how often a program tries to read a value of copies.
const copyRounds = 4

// layoutCopies makes room for the copies of keyless maps. It comes when the
// programs are known.
func (c *compiler) layoutCopies(programs []*probe.Program) {
	for _, m := range c.obj.Maps {
		if m.Storage != object.Cell || m.Shape != object.ShapeRaw || m.Size <= 8 {
			continue
		}
		for _, p := range programs {
			if storesTo(p, m.Map) {
				c.writers[m.Map] = append(c.writers[m.Map], p)
			}
		}
		m.Copies = max(len(c.writers[m.Map]), 1) * c.cpus
		c.addMap(m)
	}
}

// storesTo says whether a program assigns to a map.
func storesTo(p *probe.Program, m *plylang.Map) bool {
	return slices.ContainsFunc(p.Clauses, func(c *probe.Clause) bool {
		found := false
		plylang.Walk(c.Body, func(n plylang.Node) bool {
			if a, ok := n.(*plylang.Assign); ok {
				ref, ok := a.LHS.(*plylang.MapRef)
				found = found || ok && ref.Map == m
			}
			return true
		})
		return found
	})
}

// storeCopy stores a value as the newest copy.
func (g *gen) storeCopy(a access, value emit.Mem) {
	m, end := a.Map, g.Label()
	first := mark + slices.Index(g.writers[m.Map], g.program)*g.cpus*m.PairSize()
	g.Call(asm.FnGetSmpProcessorId)
	g.Jump(asm.JGE, asm.R0, int32(g.cpus), end)
	g.Emit(asm.Mul.Imm(asm.R0, int32(m.PairSize())))
	g.cellAt(asm.R7, a, first)
	g.Emit(asm.Add.Reg(asm.R7, asm.R0), asm.Add.Imm(asm.R0, int32(first)))
	g.Load(asm.R2, emit.Mem{Reg: asm.R7, Size: 8})
	g.Emit(asm.Add.Imm(asm.R2, 1), asm.Mov.Reg(asm.R3, asm.R2))
	g.publish(asm.R7, asm.R3)
	g.copyOfTurn(m, asm.R3, asm.R2)
	g.Emit(asm.Add.Reg(asm.R7, asm.R3))
	g.Copy(emit.Mem{Reg: asm.R7, Off: 8, Size: m.Size}, value)
	g.Emit(asm.LSh.Imm(asm.R2, 32), asm.Or.Reg(asm.R2, asm.R0))
	g.cellAt(asm.R7, a, 0)
	g.publish(asm.R7, asm.R2)
	g.Bind(end)
}

// copyOfTurn makes dst the distance between the copies of a pair that is the
// copy's of a turn.
func (g *gen) copyOfTurn(m *object.Map, dst, turn asm.Register) {
	g.Emit(asm.Mov.Reg(dst, turn), asm.And.Imm(dst, 1), asm.Mul.Imm(dst, int32(m.Size)))
}

// publish stores a word between what was stored before it and what is after it,
// which a fetching atomic instruction keeps apart on every CPU. src is lost.
func (g *gen) publish(at, src asm.Register) {
	if g.kernel.Has(kernel.FetchingAtomics) {
		g.Atomic(asm.Xchg, at, 0, src)
	} else {
		g.Store(emit.Mem{Reg: at, Size: 8}, src)
	}
}

// loadCopy copies the newest copy to dst, or the empty value where there is
// none.
func (g *gen) loadCopy(a access, dst emit.Mem) {
	m := a.Map
	missing, end := g.Label(), g.Label()
	for range copyRounds {
		g.cellAt(asm.R4, a, 0)
		g.Load(asm.R2, emit.Mem{Reg: asm.R4, Size: 8})
		g.Jump(asm.JEq, asm.R2, 0, missing)
		g.Emit(asm.Mov.Reg(asm.R3, asm.R2), asm.And.Imm(asm.R3, 0x7ffffff8), asm.RSh.Imm(asm.R2, 32))
		g.Jump(asm.JGT, asm.R3, int32(mark+(m.Copies-1)*m.PairSize()), missing)
		g.Emit(asm.Add.Reg(asm.R4, asm.R3))
		g.copyOfTurn(m, asm.R5, asm.R2)
		g.Emit(asm.Mov.Reg(asm.R3, asm.R4), asm.Add.Reg(asm.R3, asm.R5))
		g.Copy(dst, emit.Mem{Reg: asm.R3, Off: 8, Size: m.Size})
		g.orderLoads()
		g.Load(asm.R5, emit.Mem{Reg: asm.R4, Size: 8})
		g.Emit(asm.Sub.Reg(asm.R5, asm.R2), asm.Mov.Reg32(asm.R5, asm.R5))
		g.Jump(asm.JLE, asm.R5, 1, end)
	}
	g.Bind(missing)
	g.Zero(dst)
	g.Bind(end)
}

// orderLoads keeps what was loaded before apart from what is loaded after it, on
// architectures that would mix it.
func (g *gen) orderLoads() {
	if g.kernel.Arch().Name == "amd64" || !g.kernel.Has(kernel.FetchingAtomics) {
		return
	}
	slot := g.Slot(8)
	g.StoreImm(slot, 0)
	g.Atomic(asm.Xchg, slot.Reg, slot.Off, asm.R1)
	g.Free(slot)
}
