package bpfgen

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
)

// Threads that have nothing
//
// A script that times some calls only, those on files, say, notes their beginnings and
// asks at each return whether there is one. Most have none, and to find that out by the
// thread's record takes longer than all else that such a return costs. So threads whose
// record is all zeros are noted, too, in an array by a hash of where on its own stack the
// kernel has the thread's registers: where that address is marked, nothing was stored
// since for this thread. Threads that share a place overwrite each other, and then only
// the record tells.
//
// That is only for records that change nowhere but where system calls begin and return:
// there a thread is never inside itself, and its registers are an argument.

const (
	nothingMap  = "ply_nothing"
	placesBits  = 12
	nothingMark = 1                  // of an address: its thread has nothing
	spread      = 0x9E3779B97F4A7C15 // 2⁶⁴ by the golden ratio
)

func nothingSpec() *ebpf.MapSpec {
	return &ebpf.MapSpec{Name: nothingMap, Type: ebpf.Array, KeySize: 4, ValueSize: 8 << placesBits, MaxEntries: 1}
}

// knowsNothing says whether threads that have nothing are noted: whether some program
// can make use of it, and all that change records are at system calls.
func (c *compiler) knowsNothing() bool {
	useful := false
	for _, p := range c.plan.Programs {
		switch at := p.AtCalls(); {
		case at:
			useful = useful || c.needsRecords(p)
		case c.hasRecords(p):
			return false
		}
	}
	return useful
}

// hasRecords says whether a program has anything to do with records.
func (c *compiler) hasRecords(p *probe.Program) bool {
	has := false
	for _, clause := range p.Clauses {
		for _, m := range c.obj.Maps {
			if m.Storage == object.InTasks {
				eachRef(clause.Clause, m.Map, func(*plylang.MapRef) { has = true })
			}
		}
	}
	return has
}

// needsRecords says whether a program does nothing for a thread that has nothing, which
// is not so where it takes what was noted when the call began.
func (c *compiler) needsRecords(p *probe.Program) bool {
	if p.Timing != probe.Untimed {
		return false
	}
	for _, clause := range p.Clauses {
		if !c.wantsValue(clause.Pred) {
			return false
		}
	}
	return len(p.Clauses) > 0
}

// wantsValue says whether a predicate holds only where a value of the record is not 0.
func (c *compiler) wantsValue(x plylang.Expr) bool {
	switch x := x.(type) {
	case *plylang.MapRef:
		return c.maps[x.Map].Storage == object.InTasks
	case *plylang.Binary:
		return x.Op == plylang.LAND && (c.wantsValue(x.X) || c.wantsValue(x.Y))
	}
	return false
}

// leaveWithNothing goes to end for a thread that is known to have nothing, if that is
// all that the program does for it.
func (g *gen) leaveWithNothing(end string) {
	if !g.nothing || !g.needsRecords(g.program) {
		return
	}
	g.placeOfThread()
	g.Load(asm.R2, emit.Mem{Reg: asm.R3, Size: 8})
	g.Emit(asm.Or.Imm(asm.R1, nothingMark))
	g.JumpReg(asm.JEq, asm.R2, asm.R1, end)
}

// hasSomething notes that a value was stored for the thread.
func (g *gen) hasSomething() {
	if g.nothing {
		g.placeOfThread()
		g.Store(emit.Mem{Reg: asm.R3, Size: 8}, asm.R1)
	}
}

// findCurrent leaves the address of the thread's record in R0, or 0.
func (g *gen) findCurrent() {
	g.Kept(recordName(probe.CurrentTask), func() { g.findRecord(probe.CurrentTask, false) })
}

// hasNothing notes it if the thread has nothing.
func (g *gen) hasNothing() {
	nothing, end := g.Label(), g.Label()
	g.findCurrent()
	g.Jump(asm.JEq, asm.R0, 0, nothing)
	g.Load(asm.R1, emit.Mem{Reg: asm.R0, Size: 8})
	for i := 1; i < g.taskWords; i++ {
		g.Load(asm.R2, emit.Mem{Reg: asm.R0, Off: 8 * i, Size: 8})
		g.Emit(asm.Or.Reg(asm.R1, asm.R2))
	}
	g.Jump(asm.JNE, asm.R1, 0, end)
	g.Bind(nothing)
	g.placeOfThread()
	g.Emit(asm.Or.Imm(asm.R1, nothingMark))
	g.Store(emit.Mem{Reg: asm.R3, Size: 8}, asm.R1)
	g.Bind(end)
}

// placeOfThread leaves the address of the thread's registers in R1, and that of its
// place in R3. R2 is lost.
func (g *gen) placeOfThread() {
	multiplier := uint64(spread)
	g.Emit(asm.LoadMem(asm.R1, asm.R6, 0, asm.DWord))
	g.Emit(asm.LoadImm(asm.R2, int64(multiplier), asm.DWord))
	g.Emit(asm.Mul.Reg(asm.R2, asm.R1), asm.RSh.Imm(asm.R2, 64-placesBits), asm.LSh.Imm(asm.R2, 3))
	g.MapValue(asm.R3, nothingMap, 0)
	g.Emit(asm.Add.Reg(asm.R3, asm.R2))
}
