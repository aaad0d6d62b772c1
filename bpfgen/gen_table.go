package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/plylang"
)

// mark is the word before a cell's value that says that it was written.
const mark = 8

// key builds the key of a map reference. All its bytes are written.
func (g *gen) key(ref *plylang.MapRef) mem {
	m := g.maps[ref.Map]
	key := g.slot(m.KeySize)
	for i, part := range m.Key {
		dst := key.at(part.Offset, padded(part.Type.Size))
		if !part.Type.Scalar() {
			g.memInto(ref.Keys[i], dst)
			continue
		}
		g.expr(ref.Keys[i])
		if t := ref.Keys[i].Type(); t.Size > part.Type.Size || t.Size == part.Type.Size && t.Signed != part.Type.Signed {
			g.extend(part.Type)
		}
		g.store(dst, asm.R0)
	}
	return key
}

// lookup leaves the address of the value at key in R0, 0 when there is none.
func (g *gen) lookup(m *Map, key mem) {
	g.address(asm.R2, key)
	g.mapPtr(asm.R1, m.SpecName)
	g.call(asm.FnMapLookupElem)
}

// readTable leaves a table's number in R0.
func (g *gen) readTable(ref *plylang.MapRef) {
	m := g.maps[ref.Map]
	if m.Storage == Cell {
		g.mapValue(asm.R1, m.SpecName, mark)
		g.load(asm.R0, mem{asm.R1, 0, 8})
		return
	}
	key := g.key(ref)
	g.lookup(m, key)
	g.free(key)
	missing := g.label()
	g.jump(asm.JEq, asm.R0, 0, missing)
	g.load(asm.R0, mem{asm.R0, 0, 8})
	g.bind(missing)
}

// readTableMem copies a table's string to dst.
func (g *gen) readTableMem(ref *plylang.MapRef, dst mem) {
	m := g.maps[ref.Map]
	if m.Storage == Cell {
		g.mapValue(asm.R2, m.SpecName, mark)
		g.copy(dst, mem{asm.R2, 0, m.Size})
		return
	}
	key := g.key(ref)
	g.lookup(m, key)
	g.free(key)
	missing, end := g.label(), g.label()
	g.jump(asm.JEq, asm.R0, 0, missing)
	g.copy(dst, mem{asm.R0, 0, m.Size})
	g.goto_(end)
	g.bind(missing)
	g.zero(dst)
	g.bind(end)
}

// storeTable is "table = x".
func (g *gen) storeTable(ref *plylang.MapRef, x plylang.Expr) {
	m := g.maps[ref.Map]
	if m.Storage == Cell {
		g.storeCell(m, x)
		return
	}
	value := g.slot(m.Size)
	g.storeValue(value, x)
	key := g.key(ref)
	g.address(asm.R3, value)
	g.update(m, key, bpfAny)
	stored := g.label()
	g.jump(asm.JEq, asm.R0, 0, stored)
	g.increment(1 + m.ID)
	g.bind(stored)
}

func (g *gen) storeCell(m *Map, x plylang.Expr) {
	if x.Type().Scalar() {
		g.expr(x)
		g.mapValue(asm.R2, m.SpecName, 0)
		g.store(mem{asm.R2, mark, 8}, asm.R0)
	} else {
		value := g.slot(m.Size)
		g.memInto(x, value)
		g.mapValue(asm.R2, m.SpecName, 0)
		g.copy(mem{asm.R2, mark, m.Size}, value)
	}
	g.storeImm(mem{asm.R2, 0, 8}, 1)
}

// Flags of bpf_map_update_elem.
const (
	bpfAny     = 0
	bpfNoExist = 1
)

// update stores the value at the address in R3.
func (g *gen) update(m *Map, key mem, flag int32) {
	g.emit(asm.Mov.Imm(asm.R4, flag))
	g.address(asm.R2, key)
	g.mapPtr(asm.R1, m.SpecName)
	g.call(asm.FnMapUpdateElem)
}

// entry leaves the address of the value of ref in R7, and makes a value of
// zeros when there is none. If the map refuses a new key, that is counted and
// the code goes to refused.
//
// The zeros are inserted only where nothing is, because another CPU may have
// come between; that this fails then is no error.
func (g *gen) entry(ref *plylang.MapRef, refused string) {
	m := g.maps[ref.Map]
	if m.Storage == Cell {
		g.markCell(m)
		return
	}
	key, found := g.key(ref), g.label()
	g.lookup(m, key)
	g.jump(asm.JNE, asm.R0, 0, found)
	g.zeros = max(g.zeros, m.Size)
	g.mapValue(asm.R3, zeroMap, 0)
	g.update(m, key, bpfNoExist)
	g.lookup(m, key)
	g.jump(asm.JNE, asm.R0, 0, found)
	g.increment(1 + m.ID)
	g.goto_(refused)
	g.bind(found)
	g.emit(asm.Mov.Reg(asm.R7, asm.R0))
	g.free(key)
}

// markCell marks a cell as written and leaves the address of its value in R7.
func (g *gen) markCell(m *Map) {
	marked := g.label()
	g.mapValue(asm.R7, m.SpecName, mark)
	g.load(asm.R1, mem{asm.R7, -mark, 8})
	g.jump(asm.JNE, asm.R1, 0, marked)
	g.storeImm(mem{asm.R7, -mark, 8}, 1)
	g.bind(marked)
}

// updateTable is "table op= x". Additions and subtractions are atomic.
func (g *gen) updateTable(ref *plylang.MapRef, s *plylang.Assign) {
	op := g.amount(s)
	if op == plylang.SUB {
		g.emit(asm.Neg.Imm(asm.R0, 0))
	}
	amount, end := g.spill(), g.label()
	g.entry(ref, end)
	g.load(asm.R1, amount)
	if op == plylang.ADD || op == plylang.SUB {
		g.atomic(asm.AddAtomic, asm.R7, 0, asm.R1)
	} else {
		g.load(asm.R0, mem{asm.R7, 0, 8})
		g.arith(op, compoundUnsigned(op, ref.Map.Value, s.X))
		g.store(mem{asm.R7, 0, 8}, asm.R0)
	}
	g.bind(end)
}

// delete forgets a key, or the cell of a map without one.
func (g *gen) delete(ref *plylang.MapRef) {
	m := g.maps[ref.Map]
	if m.Storage == Cell {
		g.mapValue(asm.R2, m.SpecName, 0)
		g.zero(mem{asm.R2, 0, mark + m.Size})
		return
	}
	key := g.key(ref)
	g.address(asm.R2, key)
	g.mapPtr(asm.R1, m.SpecName)
	g.call(asm.FnMapDeleteElem)
}

// aggregate feeds an aggregation: its argument first, then the key.
func (g *gen) aggregate(ref *plylang.MapRef, call *plylang.Call) {
	row, m, end := rowOf(call.Func).agg, g.maps[ref.Map], g.label()
	var x mem
	if len(call.Args) > 0 {
		g.expr(call.Args[0])
		x = g.spill()
	}
	g.entry(ref, end)
	row.update(g, m, x)
	g.bind(end)
}
