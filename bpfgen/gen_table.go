package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// mark is the size of the word before a cell's value that says that it was
// written; see Map.Written.
const mark = 8

// key builds the key of a map reference. All its bytes are written: the first number
// of a word as a whole word, which leaves in the bytes behind it what depends on
// nothing else, and the others over that.
func (g *gen) key(ref *plylang.MapRef) emit.Mem {
	m := g.maps[ref.Map]
	key := g.Slot(m.KeySize)
	for i, part := range m.Key {
		if !part.Type.Scalar() {
			g.memInto(ref.Keys[i], key.At(part.Offset, emit.Padded(part.Type.Size)))
			continue
		}
		g.expr(ref.Keys[i])
		size := emit.Pick(part.Offset%8 == 0, 8, part.Type.Size)
		g.Emit(asm.StoreMem(key.Reg, int16(key.Off+part.Offset), asm.R0, emit.SizeOp(size)))
	}
	return key
}

// lookup leaves the address of the value at key in R0, 0 when there is none.
func (g *gen) lookup(a access, key emit.Mem) {
	g.findHash(a)
	g.Address(asm.R2, key)
	g.hashPtr(a)
	g.Call(asm.FnMapLookupElem)
}

// readTable leaves a table's number in R0.
func (g *gen) readTable(ref *plylang.MapRef) {
	if g.maps[ref.Map].Storage == object.Cell {
		a := g.access(ref)
		g.cellAt(asm.R1, a, mark)
		g.Load(asm.R0, emit.Mem{Reg: asm.R1, Off: 0, Size: 8})
		g.leave(a)
		return
	}
	if m := g.maps[ref.Map]; m.Storage == object.Array {
		g.readSlot(m, ref)
		return
	}
	if m := g.maps[ref.Map]; m.Storage == object.InTasks {
		g.readOfTask(ref)
		return
	}
	key := g.key(ref)
	a := g.access(ref)
	if a.Expiry != nil {
		g.readExpiring(a, key)
		return
	}
	g.lookup(a, key)
	g.leave(a)
	g.Free(key)
	missing := g.Label()
	g.Jump(asm.JEq, asm.R0, 0, missing)
	g.Load(asm.R0, emit.Mem{Reg: asm.R0, Off: 0, Size: 8})
	g.Bind(missing)
}

// readTableMem copies a table's string to dst.
func (g *gen) readTableMem(ref *plylang.MapRef, dst emit.Mem) {
	m := g.maps[ref.Map]
	if m.Storage == object.Cell {
		a := g.access(ref)
		g.readCell(a, dst)
		g.leave(a)
		return
	}
	key := g.key(ref)
	a := g.access(ref)
	missing, end := g.Label(), g.Label()
	if a.Expiry != nil {
		g.findToRead(a, key)
	} else {
		g.lookup(a, key)
	}
	g.leave(a)
	g.Free(key)
	g.Jump(asm.JEq, asm.R0, 0, missing)
	g.Copy(dst, emit.Mem{Reg: asm.R0, Off: 0, Size: m.Size})
	g.Goto(end)
	g.Bind(missing)
	g.Zero(dst)
	g.Bind(end)
}

// readCell copies a text or another value in memory out of a map without a key.
func (g *gen) readCell(a access, dst emit.Mem) {
	if a.Copies > 0 {
		g.loadCopy(a, dst)
		return
	}
	g.cellAt(asm.R2, a, mark)
	g.Copy(dst, emit.Mem{Reg: asm.R2, Off: 0, Size: a.Size})
}

// storeTable is "table = x".
func (g *gen) storeTable(ref *plylang.MapRef, x plylang.Expr) {
	m := g.maps[ref.Map]
	if m.Storage == object.Cell {
		g.storeCell(ref, x)
		return
	}
	if m.Storage == object.Array {
		g.storeSlot(m, ref, x)
		return
	}
	if m.Storage == object.InTasks {
		g.storeOfTask(ref, x)
		return
	}
	value := g.Slot(m.StoredSize())
	g.storeValue(value.At(0, m.Size), x)
	key := g.key(ref)
	a := g.access(ref)
	g.storeAt(a, key, value)
	stored := g.Label()
	g.Jump(asm.JEq, asm.R0, 0, stored)
	g.increment(1 + m.ID)
	g.Bind(stored)
}

func (g *gen) storeCell(ref *plylang.MapRef, x plylang.Expr) {
	m := g.maps[ref.Map]
	if x.Type().Scalar() {
		g.expr(x)
		g.keeping(m, func() { g.cellAt(asm.R2, g.access(ref), mark) })
		g.Store(emit.Mem{Reg: asm.R2, Off: 0, Size: 8}, asm.R0)
	} else {
		value := g.Slot(m.Size)
		g.memInto(x, value)
		a := g.access(ref)
		if m.Copies > 0 {
			g.storeCopy(a, value)
			return
		}
		g.cellAt(asm.R2, a, mark)
		g.Copy(emit.Mem{Reg: asm.R2, Off: 0, Size: m.Size}, value)
	}
	g.markCell(asm.R2)
}

// Flags of bpf_map_update_elem.
const (
	bpfAny     = 0
	bpfNoExist = 1
)

// update stores the value whose address value puts into R3.
func (g *gen) update(a access, key emit.Mem, flag int32, value func()) {
	g.findHash(a)
	value()
	g.Emit(asm.Mov.Imm(asm.R4, flag))
	g.Address(asm.R2, key)
	g.hashPtr(a)
	g.Call(asm.FnMapUpdateElem)
}

// feed changes the value at ref: change does it to the value at R7, and first
// makes the value of a new key at dst; without it that begins as zeros. If the
// map refuses a new key, the value is that of all other keys, or the refusal is counted.
//
// A reader may come at any time, so a key is inserted with what its first
// update makes of it; see Map.Written. It is inserted only where nothing is,
// because another CPU may have come between; that this fails then is no error.
func (g *gen) feed(ref *plylang.MapRef, first func(dst emit.Mem), change func()) {
	m := g.maps[ref.Map]
	if m.Storage == object.Cell {
		a := g.access(ref)
		g.cellAt(asm.R7, a, mark)
		g.leave(a)
		change()
		return
	}
	if m.Storage == object.Array {
		g.feedSlot(m, ref, change)
		return
	}
	if m.Storage == object.InTasks {
		g.feedOfTask(ref, change)
		return
	}
	key, found, end := g.key(ref), g.Label(), g.Label()
	a := g.access(ref)
	if a.Expiry != nil {
		g.findToUpdate(a, key, first, found, end)
	} else {
		g.findOrInsert(a, key, first, found, end)
	}
	g.Bind(found)
	g.Emit(asm.Mov.Reg(asm.R7, asm.R0))
	if a.Expiry != nil {
		g.noteTime(a)
	}
	g.leave(a)
	g.Free(key)
	change()
	g.Bind(end)
}

// findOrInsert goes to found with the address of the value at key in R0, or to end
// where first has made it, or the map refuses the key.
func (g *gen) findOrInsert(a access, key emit.Mem, first func(dst emit.Mem), found, end string) {
	g.lookup(a, key)
	g.Jump(asm.JNE, asm.R0, 0, found)
	g.insert(a, key, first)
	if first != nil {
		g.Jump(asm.JEq, asm.R0, 0, end)
	}
	g.lookup(a, key)
	g.Jump(asm.JNE, asm.R0, 0, found)
	if a.Overflow != nil {
		g.other(a)
		g.Goto(found)
	} else {
		g.increment(1 + a.ID)
		g.Goto(end)
	}
}

// insert makes the value of a new key; R0 is 0 when it is in the map then.
func (g *gen) insert(a access, key emit.Mem, first func(dst emit.Mem)) {
	if first == nil {
		g.zeros = max(g.zeros, a.StoredSize())
		g.update(a, key, bpfNoExist, func() { g.MapValue(asm.R3, zeroMap, 0) })
		return
	}
	value := g.Slot(a.StoredSize())
	first(value.At(0, a.Size))
	g.storeTime(a, value)
	g.update(a, key, bpfNoExist, func() { g.Address(asm.R3, value) })
	g.Free(value)
}

// markCell marks the cell whose value is at reg as written, after it was: a
// fetching atomic instruction keeps this order on every CPU.
func (g *gen) markCell(reg asm.Register) {
	marked := g.Label()
	g.Load(asm.R1, emit.Mem{Reg: reg, Off: -mark, Size: 8})
	g.Jump(asm.JNE, asm.R1, 0, marked)
	if g.kernel.Has(kernel.FetchingAtomics) {
		g.Emit(asm.Mov.Imm(asm.R1, 1))
		g.Atomic(asm.Xchg, reg, -mark, asm.R1)
	} else {
		g.StoreImm(emit.Mem{Reg: reg, Off: -mark, Size: 8}, 1)
	}
	g.Bind(marked)
}

// updateTable is "table op= x". Additions and subtractions are atomic.
func (g *gen) updateTable(ref *plylang.MapRef, s *plylang.Assign) {
	m, op := g.maps[ref.Map], g.amount(s)
	if op == plylang.SUB {
		g.Emit(asm.Neg.Imm(asm.R0, 0))
		op = plylang.ADD
	}
	amount := g.Spill()
	g.feed(ref, func(dst emit.Mem) {
		g.Emit(asm.Mov.Imm(asm.R0, 0))
		g.compound(op, ref.Map.Value, amount, s.X)
		g.Store(dst, asm.R0)
	}, func() {
		if value := (emit.Mem{Reg: asm.R7, Off: 0, Size: 8}); op == plylang.ADD {
			g.Load(asm.R1, amount)
			g.Atomic(asm.AddAtomic, asm.R7, 0, asm.R1)
		} else {
			g.Load(asm.R0, value)
			g.compound(op, ref.Map.Value, amount, s.X)
			g.Store(value, asm.R0)
		}
		if m.Marked() {
			g.markCell(asm.R7)
		}
	})
}

// compound is R0 op= amount, the value of x.
func (g *gen) compound(op plylang.Token, t *plylang.Type, amount emit.Mem, x plylang.Expr) {
	g.Load(asm.R1, amount)
	unsigned := op != plylang.ADD && compoundUnsigned(op, t, x)
	g.arith(op, unsigned)
}

// delete forgets a key, or the cell of a map without one.
func (g *gen) delete(ref *plylang.MapRef) {
	m := g.maps[ref.Map]
	if m.Storage == object.Cell {
		size := emit.Pick(m.Copies > 0, mark, mark+m.Size) // copies only lose the word that says which is the newest
		g.cellAt(asm.R2, g.access(ref), 0)
		g.Zero(emit.Mem{Reg: asm.R2, Off: 0, Size: size})
		return
	}
	if m.Storage == object.InTasks {
		g.deleteOfTask(ref)
		return
	}
	key := g.key(ref)
	a := g.access(ref)
	g.deleteAt(a, key)
	if a.Expiry != nil {
		g.deleteLate(a, key)
	}
}

func (g *gen) deleteAt(a access, key emit.Mem) {
	g.findHash(a)
	g.Address(asm.R2, key)
	g.hashPtr(a)
	g.Call(asm.FnMapDeleteElem)
}

// aggregate feeds an aggregation: its argument first, then the key.
func (g *gen) aggregate(ref *plylang.MapRef, call *plylang.Call) {
	row, m := rowOf(call.Func).agg, g.maps[ref.Map]
	var x emit.Mem
	if len(call.Args) > 0 {
		g.expr(call.Args[0])
		x = g.Spill()
	}
	var first func(dst emit.Mem)
	if row.first != nil {
		first = func(dst emit.Mem) { row.first(g, m, x, dst) }
	}
	g.feed(ref, first, func() { row.update(g, m, x) })
}
