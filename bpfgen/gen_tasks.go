package bpfgen

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Tables of the current task
//
// A table that has no other keys than curtask, and that nobody reads but the script,
// needs no hash: the kernel keeps its values with the tasks. To find one takes as long
// as a few loads, none is evicted because there are many, and what a task leaves
// behind goes with it, so that another one at the same address begins with nothing.
// A value that was deleted is 0, which is what a table says of a key that it does not
// have.

// isOfTasks says whether the values of a table can be kept with the tasks.
func (c *compiler) isOfTasks(m *object.Map) bool {
	if m.Agg != nil || len(m.Keys) != 1 || !m.Value.Scalar() || m.Cleared() || !c.kernel.KeepsInTasks() {
		return false
	}
	is := true
	for _, clause := range c.script.Clauses {
		for _, part := range parts(clause) {
			plylang.Walk(part, func(n plylang.Node) bool {
				ref, ok := n.(*plylang.MapRef)
				is = is && (!ok || ref.Map != m.Map || len(ref.Keys) == 1 && isCurrentTask(ref.Keys[0]))
				return true
			})
		}
	}
	return is
}

// parts are what a clause runs.
func parts(clause *plylang.Clause) []plylang.Node {
	if clause.Pred == nil {
		return []plylang.Node{clause.Body}
	}
	return []plylang.Node{clause.Pred, clause.Body}
}

// isCurrentTask says whether an expression is curtask.
func isCurrentTask(x plylang.Expr) bool {
	name, ok := x.(*plylang.Name)
	return ok && name.Local == nil && name.Func != nil && name.Func.Name == currentTask
}

// taskSpec is the kernel's map of values that are kept with tasks. It wants to know
// of what type they are.
func taskSpec(m *object.Map) *ebpf.MapSpec {
	number := &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	word := &btf.Int{Name: "unsigned long long", Size: 8}
	return &ebpf.MapSpec{
		Name: m.SpecName, Type: ebpf.TaskStorage, KeySize: 4, ValueSize: uint32(m.StoredSize()), Flags: unix.BPF_F_NO_PREALLOC,
		Key: number, Value: word,
	}
}

// ofTask leaves in R0 the address of the current task's value, or 0 if it has none.
// One that is made begins as 0.
func (g *gen) ofTask(m *object.Map, make bool) {
	g.LoadsTask()
	g.MapPtr(asm.R1, m.SpecName)
	g.Emit(asm.Mov.Reg(asm.R2, asm.R9), asm.Mov.Imm(asm.R3, 0), asm.Mov.Imm(asm.R4, emit.Pick[int32](make, 1, 0)))
	g.Call(asm.FnTaskStorageGet)
}

// readOfTask leaves the current task's value in R0.
func (g *gen) readOfTask(m *object.Map) {
	none := g.Label()
	g.ofTask(m, false)
	g.Jump(asm.JEq, asm.R0, 0, none)
	g.Load(asm.R0, emit.Mem{Reg: asm.R0, Size: 8})
	g.Bind(none)
}

// feedOfTask changes the value at R7; that there is no memory for it is counted.
func (g *gen) feedOfTask(m *object.Map, change func()) {
	found, end := g.Label(), g.Label()
	g.ofTask(m, true)
	g.Jump(asm.JNE, asm.R0, 0, found)
	g.increment(1 + m.ID)
	g.Goto(end)
	g.Bind(found)
	g.Emit(asm.Mov.Reg(asm.R7, asm.R0))
	change()
	g.Bind(end)
}

// storeOfTask stores a number.
func (g *gen) storeOfTask(m *object.Map, x plylang.Expr) {
	g.expr(x)
	value := g.Spill()
	g.feedOfTask(m, func() {
		g.Load(asm.R1, value)
		g.Store(emit.Mem{Reg: asm.R7, Size: 8}, asm.R1)
	})
	g.Free(value)
}

// deleteOfTask forgets the current task's value.
func (g *gen) deleteOfTask(m *object.Map) {
	none := g.Label()
	g.ofTask(m, false)
	g.Jump(asm.JEq, asm.R0, 0, none)
	g.Zero(emit.Mem{Reg: asm.R0, Size: 8})
	g.Bind(none)
}
