package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
)

// addOverflow makes room for the values of a map's other keys; see object.Overflow.
func (c *compiler) addOverflow(m *object.Map, opt MapOptions) {
	if !opt.Other || m.Agg == nil || m.Storage != object.PerCPUHash && m.Storage != object.SharedHash {
		return
	}
	m.Overflow = &object.Overflow{Offset: c.overflow}
	c.overflow += m.OverflowSize()
}

// other leaves in R0 the address of the value that all keys share for which the map
// has no room, and counts the update.
func (g *gen) other(a access) {
	g.MapValue(asm.R1, object.OverflowMap, a.Overflow.Offset)
	g.one(asm.R2)
	g.Atomic(asm.AddAtomic, asm.R1, 0, asm.R2)
	g.MapValue(asm.R0, object.OverflowMap, a.OtherOffset(0)+mark)
	if a.Cleared() {
		g.addPlace(asm.R0, asm.R1, a, a.OtherStride())
	}
	g.Store(emit.Mem{Reg: asm.R0, Off: -mark, Size: 8}, asm.R2)
}
