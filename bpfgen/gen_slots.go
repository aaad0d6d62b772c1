package bpfgen

import (
	"math/bits"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// feedSlot changes the value at ref in a map of slots. A key that has no slot is
// counted as refused, though there should be none: the verifier wants the
// comparison.
func (g *gen) feedSlot(m *object.Map, ref *plylang.MapRef, change func()) {
	refused, end := g.Label(), g.Label()
	g.slot(m, ref, refused)
	change()
	g.Goto(end)
	g.Bind(refused)
	g.increment(1 + m.ID)
	g.Bind(end)
}

// readSlot leaves a table's number in R0.
func (g *gen) readSlot(m *object.Map, ref *plylang.MapRef) {
	none, end := g.Label(), g.Label()
	g.slot(m, ref, none)
	g.Load(asm.R0, emit.Mem{Reg: asm.R7, Off: 0, Size: 8})
	g.Goto(end)
	g.Bind(none)
	g.Imm(asm.R0, 0)
	g.Bind(end)
}

// storeSlot stores a number to a table.
func (g *gen) storeSlot(m *object.Map, ref *plylang.MapRef, x plylang.Expr) {
	g.expr(x)
	value := g.Spill()
	g.feedSlot(m, ref, func() {
		g.Load(asm.R1, value)
		g.Store(emit.Mem{Reg: asm.R7, Off: 0, Size: 8}, asm.R1)
		g.markCell(asm.R7)
	})
}

// slot leaves the address of the value at ref in R7.
func (g *gen) slot(m *object.Map, ref *plylang.MapRef, refused string) {
	g.place(m, ref, refused)
	first := m.SlotSize() - m.Size
	if m.Slots.Regions == 1 {
		g.MapValue(asm.R7, m.SpecName, first)
		g.Emit(asm.Add.Reg(asm.R7, asm.R0))
		return
	}
	g.Emit(asm.Mov.Reg(asm.R7, asm.R0))
	g.Call(asm.FnGetSmpProcessorId)
	g.Jump(asm.JGE, asm.R0, int32(m.Slots.Regions), refused)
	g.times(m.RegionSize())
	g.MapValue(asm.R1, m.SpecName, first)
	g.Emit(asm.Add.Reg(asm.R7, asm.R0), asm.Add.Reg(asm.R7, asm.R1))
}

// place leaves in R0 where in its region the slot is.
func (g *gen) place(m *object.Map, ref *plylang.MapRef, refused string) {
	parts := m.Slots.Parts()
	if len(parts) == 0 {
		g.Imm(asm.R0, 0)
		return
	}
	var before emit.Mem
	for n, i := range parts {
		g.expr(ref.Keys[i])
		if n > 0 {
			g.Load(asm.R1, before)
			g.Free(before)
			g.Emit(asm.Mul.Imm(asm.R1, int32(m.Slots.Bounds[i])), asm.Add.Reg(asm.R0, asm.R1))
		}
		if n < len(parts)-1 {
			before = g.Spill()
		}
	}
	g.Jump(asm.JGE, asm.R0, int32(m.Slots.Places()), refused)
	g.times(m.SlotSize())
}

// times multiplies R0 by a size.
func (g *gen) times(size int) {
	if size&(size-1) == 0 {
		g.Emit(asm.LSh.Imm(asm.R0, int32(bits.TrailingZeros(uint(size)))))
		return
	}
	g.Emit(asm.Mul.Imm(asm.R0, int32(size)))
}
