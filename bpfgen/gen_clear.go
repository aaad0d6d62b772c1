package bpfgen

import (
	"encoding/binary"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Maps that are cleared have generations; see object.Generations.

// Cleared numbers the maps of a script that a clear() names, from 1 on.
func Cleared(script *plylang.Script) map[*plylang.Map]int {
	ids := map[*plylang.Map]int{}
	for _, clause := range script.Clauses {
		plylang.Inspect(clause.Body, func(x plylang.Expr) {
			call, ok := x.(*plylang.Call)
			if !ok || call.Func == nil || call.Func.Name != clearName {
				return
			}
			if m := call.Args[0].(*plylang.MapRef).Map; ids[m] == 0 {
				ids[m] = len(ids) + 1
			}
		})
	}
	return ids
}

// clearSpec is the array of words that say which generations are current. All
// but the first are empty.
func (c *compiler) clearSpec() *ebpf.MapSpec {
	words := make([]byte, 8*object.ClearWords*len(c.cleared))
	for _, m := range c.obj.Maps {
		if m.Cleared() {
			binary.LittleEndian.PutUint64(words[8*m.ClearLimitWord():], object.Generations-1)
		}
	}
	spec := cellSpec(object.ClearMap, len(words))
	spec.Contents = []ebpf.MapKV{{Key: uint32(0), Value: words}}
	return spec
}

// addMap adds the kernel's map for a map of the script, or those for its
// generations.
func (c *compiler) addMap(m *object.Map) {
	if m.Storage == object.InTasks {
		return // one for all of them, see valuesMap
	}
	spec, all := c.mapSpec(m), c.obj.Spec.Maps
	switch {
	case !m.Cleared():
	case m.Storage == object.Cell:
		spec.ValueSize *= object.Generations
	default:
		outer := &ebpf.MapSpec{
			Name: m.SpecName, Type: ebpf.ArrayOfMaps, KeySize: 4, ValueSize: 4, MaxEntries: object.Generations, InnerMap: spec,
		}
		for place := range object.Generations {
			all[m.GenerationName(place)] = spec.Copy()
			outer.Contents = append(outer.Contents, ebpf.MapKV{Key: uint32(place), Value: m.GenerationName(place)})
		}
		spec = outer
	}
	all[m.SpecName] = spec
	if m.Expiry != nil {
		all[m.LateName()] = c.lateSpec(m)
	}
}

// An access is one use of a map, all of it in one generation.
type access struct {
	*object.Map
	place emit.Mem // of the generation; only of a map that is cleared
	now   emit.Mem // the time and the mode; only of a map that expires
	late  bool     // it is of the late hash of such a map
}

// access begins to use a map, in the generation that is current now.
func (g *gen) access(ref *plylang.MapRef) access {
	a := access{Map: g.maps[ref.Map]}
	if a.Cleared() {
		g.loadClearState(a.Map)
		g.Emit(asm.RSh.Imm(asm.R0, 1), asm.And.Imm(asm.R0, object.Generations-1))
		a.place = g.Spill()
	}
	if a.Expiry != nil {
		a.now = g.loadTime(a.Map)
	}
	return a
}

// leave ends an access.
func (g *gen) leave(a access) {
	if a.Cleared() {
		g.Free(a.place)
	}
	if a.Expiry != nil {
		g.Free(a.now)
	}
}

// keeping keeps R0 while f finds a place in a map.
func (g *gen) keeping(m *object.Map, f func()) {
	if !m.Cleared() {
		f()
		return
	}
	kept := g.Spill()
	f()
	g.Load(asm.R0, kept)
	g.Free(kept)
}

// loadClearState leaves a map's ClearState in R0, and the address of its words
// in R1.
func (g *gen) loadClearState(m *object.Map) {
	g.MapValue(asm.R1, object.ClearMap, 8*m.ClearStateWord())
	g.Load(asm.R0, emit.Mem{Reg: asm.R1, Size: 8})
}

// cellAt puts the address of a byte of a cell into a register. Of a map that is
// cleared it takes R1 for it, or R2 where that is the register.
func (g *gen) cellAt(reg asm.Register, a access, offset int) {
	g.MapValue(reg, a.SpecName, offset)
	if !a.Cleared() {
		return
	}
	g.addPlace(reg, emit.Pick(reg == asm.R1, asm.R2, asm.R1), a, a.CellSize())
}

// addPlace adds to reg where the generation of an access is, of which each has so many
// bytes. The register with is lost.
func (g *gen) addPlace(reg, with asm.Register, a access, stride int) {
	g.Load(with, a.place)
	g.Emit(
		asm.And.Imm(with, object.Generations-1), // old verifiers forget the bounds of what is stored
		asm.Mul.Imm(with, int32(stride)),
		asm.Add.Reg(reg, with),
	)
}

// findHash finds the hash of an access to a map that is cleared, and leaves its
// address in R1; all other registers but R6 to R8 are lost. There is always one.
func (g *gen) findHash(a access) {
	if !a.Cleared() {
		return
	}
	g.Address(asm.R2, a.place)
	g.MapPtr(asm.R1, a.SpecName)
	g.Call(asm.FnMapLookupElem)
	g.Jump(asm.JEq, asm.R0, 0, g.done)
	g.Emit(asm.Mov.Reg(asm.R1, asm.R0))
}

// hashPtr puts the address of the hash into R1, where findHash has not.
func (g *gen) hashPtr(a access) {
	if !a.Cleared() {
		g.MapPtr(asm.R1, emit.Pick(a.late, a.LateName(), a.SpecName))
	}
}

// sendClear is clear(): it makes the next generation current, or notes that
// somebody is to do it as soon as it is empty. When the state has changed between
// the two instructions, another clear() was carried out at the same time, and has
// emptied the map for both.
func sendClear(g *gen, args []plylang.Expr) {
	m := g.maps[args[0].(*plylang.MapRef).Map]
	full, set, end := g.Label(), g.Label(), g.Label()
	g.loadClearState(m)
	g.Emit(asm.Mov.Reg(asm.R2, asm.R0), asm.And.Imm(asm.R2, 1))
	g.Jump(asm.JNE, asm.R2, 0, end)
	g.Emit(asm.Mov.Reg(asm.R2, asm.R0), asm.Mov.Reg(asm.R4, asm.R0), asm.RSh.Imm(asm.R4, 1))
	g.Load(asm.R3, emit.Mem{Reg: asm.R1, Off: 8 * (m.ClearLimitWord() - m.ClearStateWord()), Size: 8})
	g.JumpReg(asm.JGE, asm.R4, asm.R3, full)
	g.Emit(asm.Add.Imm(asm.R2, 2))
	g.Goto(set)
	g.Bind(full)
	g.Emit(asm.Or.Imm(asm.R2, 1))
	g.Bind(set)
	if g.kernel.Has(kernel.FetchingAtomics) {
		g.Atomic(asm.CmpXchg, asm.R1, 0, asm.R2)
	} else {
		g.Store(emit.Mem{Reg: asm.R1, Size: 8}, asm.R2)
	}
	g.Bind(end)
	g.send(&object.Event{Kind: object.EventClear, Map: m}, nil)
}
