package bpfgen

import (
	"encoding/binary"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Maps that expire have a second hash, which programs use while old elements are
// deleted from the first one; see object.Expiry.

// expiry says how a map expires; nil where it does not. few says that its keys are.
func (c *compiler) expiry(m *object.Map, opt MapOptions, few bool) *object.Expiry {
	if opt.Expire == 0 || m.Cleared() || opt.ExpireDefault && few {
		return nil
	}
	c.expiring++
	return &object.Expiry{After: opt.Expire, ID: c.expiring - 1, Adds: m.Agg != nil || c.onlyAdded(m.Map)}
}

// onlyAdded says whether a script does nothing with the numbers of a table but to add
// to them.
func (c *compiler) onlyAdded(pm *plylang.Map) bool {
	only := pm.Value.Integer()
	for _, clause := range c.script.Clauses {
		plylang.Walk(clause.Body, func(n plylang.Node) bool {
			s, ok := n.(*plylang.Assign)
			if !ok {
				return true
			}
			if ref, ok := s.LHS.(*plylang.MapRef); ok && ref.Map == pm {
				only = only && addsOnly[s.Op]
			}
			return true
		})
	}
	return only
}

var addsOnly = map[plylang.Token]bool{plylang.ADD_ASSIGN: true, plylang.SUB_ASSIGN: true, plylang.INC: true, plylang.DEC: true}

// expireSpec is the array of words that say what time it is.
func (c *compiler) expireSpec() *ebpf.MapSpec {
	words := make([]byte, 8*c.expiring)
	for _, m := range c.obj.Maps {
		if m.Expiry != nil {
			binary.LittleEndian.PutUint64(words[8*m.Expiry.ID:], object.ExpireFirst)
		}
	}
	spec := cellSpec(object.ExpireMap, len(words))
	spec.Contents = []ebpf.MapKV{{Key: uint32(0), Value: words}}
	return spec
}

// lateSpec is the late hash of a map.
func (c *compiler) lateSpec(m *object.Map) *ebpf.MapSpec {
	spec := c.mapSpec(m)
	spec.Type, spec.MaxEntries = m.LateStorage().MapType(), uint32(m.LateRoom())
	return spec
}

// loadTime keeps the time and the mode of a map for one use of it.
func (g *gen) loadTime(m *object.Map) emit.Mem {
	g.MapValue(asm.R1, object.ExpireMap, 8*m.Expiry.ID)
	g.Load(asm.R0, emit.Mem{Reg: asm.R1, Size: 8})
	return g.Spill()
}

// inMode goes to a label in one of the modes. R1 is lost.
func (g *gen) inMode(a access, modes int32, label string) {
	g.Load(asm.R1, a.now)
	g.Emit(asm.And.Imm(asm.R1, modes))
	g.Jump(asm.JNE, asm.R1, 0, label)
}

// ifOld goes to a label if the element whose value is at R0 is old. R1 and R2 are lost.
func (g *gen) ifOld(a access, label string) {
	g.Load(asm.R1, emit.Mem{Reg: asm.R0, Off: a.Size, Size: 8})
	g.Load(asm.R2, a.now)
	g.Emit(asm.And.Imm(asm.R2, ^object.ExpireMode), asm.Sub.Imm(asm.R2, object.ExpireTicks*object.ExpireTick))
	g.JumpReg(asm.JLT, asm.R1, asm.R2, label)
}

// ofLate is the same use, of the late hash.
func (a access) ofLate() access {
	a.late = true
	return a
}

// findToUpdate is findOrInsert in the hash that is to be used now.
func (g *gen) findToUpdate(a access, key emit.Mem, first func(dst emit.Mem), found, end string) {
	late, other := g.Label(), g.Label()
	g.inMode(a, object.ExpireLate, late)
	if !a.Expiry.Adds {
		g.bringBack(a, key, found)
	}
	g.findOrInsert(a, key, first, found, end)
	g.Bind(late)
	g.lookup(a, key)
	g.Jump(asm.JEq, asm.R0, 0, other)
	g.ifOld(a, other)
	g.Goto(found)
	g.Bind(other)
	g.findOrInsert(a.ofLate(), key, first, found, end)
}

// bringBack copies an element of the late hash to the map, or goes to found where it
// is: what a table's number becomes may depend on what it is.
func (g *gen) bringBack(a access, key emit.Mem, found string) {
	drain, end := g.Label(), g.Label()
	g.inMode(a, object.ExpireDrain, drain)
	g.Goto(end)
	g.Bind(drain)
	g.lookup(a, key)
	g.Jump(asm.JNE, asm.R0, 0, found)
	g.lookup(a.ofLate(), key)
	g.Jump(asm.JEq, asm.R0, 0, end)
	g.update(a, key, bpfNoExist, func() { g.Emit(asm.Mov.Reg(asm.R3, asm.R0)) })
	g.Bind(end)
}

// noteTime notes when the value at R7 is updated. R1 is lost.
func (g *gen) noteTime(a access) {
	g.Load(asm.R1, a.now)
	g.Store(emit.Mem{Reg: asm.R7, Off: a.Size, Size: 8}, asm.R1)
}

// storeTime notes it in a value that is to be stored.
func (g *gen) storeTime(a access, value emit.Mem) {
	if a.Expiry != nil {
		g.Load(asm.R1, a.now)
		g.Store(value.At(a.Size, 8), asm.R1)
	}
}

// storeAt stores a table's value, whatever was there before. R0 is 0 when it is there.
func (g *gen) storeAt(a access, key, value emit.Mem) {
	store := func(a access) { g.update(a, key, bpfAny, func() { g.Address(asm.R3, value) }) }
	if a.Expiry == nil {
		store(a)
		return
	}
	g.storeTime(a, value)
	usual, late, end := g.Label(), g.Label(), g.Label()
	g.Load(asm.R1, a.now)
	g.Emit(asm.And.Imm(asm.R1, object.ExpireLate))
	g.Jump(asm.JEq, asm.R1, 0, usual)
	g.lookup(a, key)
	g.Jump(asm.JEq, asm.R0, 0, late)
	g.ifOld(a, late)
	g.Bind(usual)
	store(a)
	g.Goto(end)
	g.Bind(late)
	store(a.ofLate())
	g.Bind(end)
}

// findToRead leaves the address of a table's value in R0, 0 where there is none.
func (g *gen) findToRead(a access, key emit.Mem) {
	late, end := g.Label(), g.Label()
	g.lookup(a, key)
	g.inMode(a, object.ExpireMode, late)
	g.Goto(end)
	g.Bind(late)
	g.findBeside(a, key, end)
	g.Bind(end)
}

// findBeside goes to found with the address in R0 that lookup has left there, unless
// the element is old. Else it leaves that of the late hash there.
func (g *gen) findBeside(a access, key emit.Mem, found string) {
	old := g.Label()
	g.Jump(asm.JEq, asm.R0, 0, old)
	g.inMode(a, object.ExpireDrain, found) // what is still there was not deleted
	g.ifOld(a, old)
	g.Goto(found)
	g.Bind(old)
	g.lookup(a.ofLate(), key)
}

// readExpiring leaves a table's number in R0. That of a key in both places is the sum
// where the script adds, else the newer one.
func (g *gen) readExpiring(a access, key emit.Mem) {
	missing := g.Label()
	if !a.Expiry.Adds {
		g.findToRead(a, key)
		g.Jump(asm.JEq, asm.R0, 0, missing)
		g.Load(asm.R0, emit.Mem{Reg: asm.R0, Size: 8})
		g.Bind(missing)
		return
	}
	none, late, end := g.Label(), g.Label(), g.Label()
	g.lookup(a, key)
	g.inMode(a, object.ExpireMode, late)
	g.Jump(asm.JEq, asm.R0, 0, end)
	g.Load(asm.R0, emit.Mem{Reg: asm.R0, Size: 8})
	g.Goto(end)
	g.Bind(late)
	other := g.Label()
	g.Emit(asm.Mov.Imm(asm.R7, 0))
	g.Jump(asm.JEq, asm.R0, 0, other)
	drain := g.Label()
	g.inMode(a, object.ExpireDrain, drain)
	g.ifOld(a, other)
	g.Bind(drain)
	g.Load(asm.R7, emit.Mem{Reg: asm.R0, Size: 8})
	g.Bind(other)
	g.lookup(a.ofLate(), key)
	g.Jump(asm.JEq, asm.R0, 0, none)
	g.Load(asm.R0, emit.Mem{Reg: asm.R0, Size: 8})
	g.Emit(asm.Add.Reg(asm.R7, asm.R0))
	g.Bind(none)
	g.Emit(asm.Mov.Reg(asm.R0, asm.R7))
	g.Bind(end)
}

// deleteLate deletes a key from the late hash, where it may be.
func (g *gen) deleteLate(a access, key emit.Mem) {
	late, end := g.Label(), g.Label()
	g.inMode(a, object.ExpireMode, late)
	g.Goto(end)
	g.Bind(late)
	g.deleteAt(a.ofLate(), key)
	g.Bind(end)
}
