package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// mark is the size of the word before a cell's value that says that it was
// written; see Map.Written.
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
func (g *gen) lookup(m *object.Map, key mem) {
	g.address(asm.R2, key)
	g.mapPtr(asm.R1, m.SpecName)
	g.call(asm.FnMapLookupElem)
}

// readTable leaves a table's number in R0.
func (g *gen) readTable(ref *plylang.MapRef) {
	m := g.maps[ref.Map]
	if m.Storage == object.Cell {
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
	if m.Storage == object.Cell {
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
	if m.Storage == object.Cell {
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

func (g *gen) storeCell(m *object.Map, x plylang.Expr) {
	if x.Type().Scalar() {
		g.expr(x)
		g.mapValue(asm.R2, m.SpecName, mark)
		g.store(mem{asm.R2, 0, 8}, asm.R0)
	} else {
		value := g.slot(m.Size)
		g.memInto(x, value)
		g.mapValue(asm.R2, m.SpecName, mark)
		g.copy(mem{asm.R2, 0, m.Size}, value)
	}
	g.markCell(asm.R2)
}

// Flags of bpf_map_update_elem.
const (
	bpfAny     = 0
	bpfNoExist = 1
)

// update stores the value at the address in R3.
func (g *gen) update(m *object.Map, key mem, flag int32) {
	g.emit(asm.Mov.Imm(asm.R4, flag))
	g.address(asm.R2, key)
	g.mapPtr(asm.R1, m.SpecName)
	g.call(asm.FnMapUpdateElem)
}

// feed changes the value at ref: change does it to the value at R7, and first
// makes the value of a new key at dst; without it that begins as zeros. If the
// map refuses a new key, that is counted.
//
// A reader may come at any time, so a key is inserted with what its first
// update makes of it; see Map.Written. It is inserted only where nothing is,
// because another CPU may have come between; that this fails then is no error.
func (g *gen) feed(ref *plylang.MapRef, first func(dst mem), change func()) {
	m := g.maps[ref.Map]
	if m.Storage == object.Cell {
		g.mapValue(asm.R7, m.SpecName, mark)
		change()
		return
	}
	key, found, end := g.key(ref), g.label(), g.label()
	g.lookup(m, key)
	g.jump(asm.JNE, asm.R0, 0, found)
	g.insert(m, key, first)
	if first != nil {
		g.jump(asm.JEq, asm.R0, 0, end)
	}
	g.lookup(m, key)
	g.jump(asm.JNE, asm.R0, 0, found)
	g.increment(1 + m.ID)
	g.goto_(end)
	g.bind(found)
	g.emit(asm.Mov.Reg(asm.R7, asm.R0))
	g.free(key)
	change()
	g.bind(end)
}

// insert makes the value of a new key; R0 is 0 when it is in the map then.
func (g *gen) insert(m *object.Map, key mem, first func(dst mem)) {
	if first == nil {
		g.zeros = max(g.zeros, m.Size)
		g.mapValue(asm.R3, zeroMap, 0)
		g.update(m, key, bpfNoExist)
		return
	}
	value := g.slot(m.Size)
	first(value)
	g.address(asm.R3, value)
	g.update(m, key, bpfNoExist)
	g.free(value)
}

// markCell marks the cell whose value is at reg as written, after it was: a
// fetching atomic instruction keeps this order on every processor.
func (g *gen) markCell(reg asm.Register) {
	marked := g.label()
	g.load(asm.R1, mem{reg, -mark, 8})
	g.jump(asm.JNE, asm.R1, 0, marked)
	if g.kernel.Has(kernel.FetchingAtomics) {
		g.emit(asm.Mov.Imm(asm.R1, 1))
		g.atomic(asm.Xchg, reg, -mark, asm.R1)
	} else {
		g.storeImm(mem{reg, -mark, 8}, 1)
	}
	g.bind(marked)
}

// updateTable is "table op= x". Additions and subtractions are atomic.
func (g *gen) updateTable(ref *plylang.MapRef, s *plylang.Assign) {
	m, op := g.maps[ref.Map], g.amount(s)
	if op == plylang.SUB {
		g.emit(asm.Neg.Imm(asm.R0, 0))
		op = plylang.ADD
	}
	amount := g.spill()
	g.feed(ref, func(dst mem) {
		g.emit(asm.Mov.Imm(asm.R0, 0))
		g.compound(op, ref.Map.Value, amount, s.X)
		g.store(dst, asm.R0)
	}, func() {
		if value := (mem{asm.R7, 0, 8}); op == plylang.ADD {
			g.load(asm.R1, amount)
			g.atomic(asm.AddAtomic, asm.R7, 0, asm.R1)
		} else {
			g.load(asm.R0, value)
			g.compound(op, ref.Map.Value, amount, s.X)
			g.store(value, asm.R0)
		}
		if m.Storage == object.Cell {
			g.markCell(asm.R7)
		}
	})
}

// compound is R0 op= amount, the value of x.
func (g *gen) compound(op plylang.Token, t *plylang.Type, amount mem, x plylang.Expr) {
	g.load(asm.R1, amount)
	unsigned := op != plylang.ADD && compoundUnsigned(op, t, x)
	g.arith(op, unsigned)
}

// delete forgets a key, or the cell of a map without one.
func (g *gen) delete(ref *plylang.MapRef) {
	m := g.maps[ref.Map]
	if m.Storage == object.Cell {
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
	row, m := rowOf(call.Func).agg, g.maps[ref.Map]
	var x mem
	if len(call.Args) > 0 {
		g.expr(call.Args[0])
		x = g.spill()
	}
	var first func(dst mem)
	if row.first != nil {
		first = func(dst mem) { row.first(g, m, x, dst) }
	}
	g.feed(ref, first, func() { row.update(g, m, x) })
}
