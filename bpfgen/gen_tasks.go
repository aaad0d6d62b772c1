package bpfgen

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
)

// Tables of tasks
//
// A table whose keys are tasks, and that nobody reads but the script, needs no hash:
// the kernel keeps its values with the tasks. To find one takes as long as a few loads,
// none is evicted because there are many, and what a task leaves behind goes with it,
// so that another one at the same address, or of the same number, begins with nothing.
// A value that was deleted is 0, which is what a table says of a key that it does not
// have. The idle tasks of all CPUs have number 0; each has a value of its own.

// isOfTasks says whether the values of a table can be kept with the tasks, and has the
// kernel know which arguments of programs are tasks where keys are.
func (c *compiler) isOfTasks(m *object.Map) bool {
	if m.Agg != nil || len(m.Keys) != 1 || !m.Value.Scalar() || m.Cleared() || !c.kernel.KeepsInTasks() || c.taskWords == maxTaskWords {
		return false
	}
	typed, kinds := map[*probe.Program]bool{}, map[bool]bool{} // by number, by address
	is := true
	for _, p := range c.plan.Programs {
		for _, clause := range p.Clauses {
			eachRef(clause.Clause, m.Map, func(ref *plylang.MapRef) {
				if len(ref.Keys) != 1 {
					is = false
					return
				}
				key, ok := p.TaskKey(c.kernel, ref.Keys[0])
				is = is && ok
				kinds[key.Number] = true
				if key.Arg != probe.CurrentTask {
					typed[p] = true
				}
			})
		}
	}
	if !is || len(kinds) > 1 {
		return false
	}
	for p := range typed {
		p.Typify()
	}
	return true
}

// eachRef visits what a clause has of a map.
func eachRef(clause *plylang.Clause, m *plylang.Map, visit func(*plylang.MapRef)) {
	for _, part := range parts(clause) {
		plylang.Walk(part, func(n plylang.Node) bool {
			if ref, ok := n.(*plylang.MapRef); ok && ref.Map == m {
				visit(ref)
			}
			return true
		})
	}
}

// parts are what a clause runs.
func parts(clause *plylang.Clause) []plylang.Node {
	if clause.Pred == nil {
		return []plylang.Node{clause.Body}
	}
	return []plylang.Node{clause.Pred, clause.Body}
}

// valuesMap keeps with each task a record of the values of all these tables, a word for
// each: whatever a program asks of them, the record is found once.
const valuesMap = "ply_values"

// maxTaskWords is how many words a record has at most: the kernel takes memory for all of
// them for each task that has one. Tables beyond that are hashes.
const maxTaskWords = 64

// taskSpec is the kernel's map of records. It wants to know of what type they are.
func (c *compiler) taskSpec() *ebpf.MapSpec {
	number := &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	word := &btf.Int{Name: "unsigned long long", Size: 8}
	return &ebpf.MapSpec{
		Name: valuesMap, Type: ebpf.TaskStorage, KeySize: 4, ValueSize: uint32(8 * c.taskWords), Flags: unix.BPF_F_NO_PREALLOC,
		Key: number, Value: &btf.Array{Index: number, Type: word, Nelems: uint32(c.taskWords)},
	}
}

// recordOf leaves in R0 the address of the record of the task that is a table's key,
// or 0 if it has none. One that is made begins as zeros. It may be that of another
// argument, too, of which the program knows that there was none.
func (g *gen) recordOf(ref *plylang.MapRef, make bool) {
	key, _ := g.program.TaskKey(g.kernel, ref.Keys[0])
	g.records[key.Arg] = true
	keep := emit.Pick(make, g.KeptOr, g.Kept)
	keep(recordName(key.Arg), func() { g.findRecord(key.Arg, make) })
	for arg := range g.records {
		if make && arg != key.Arg {
			g.Refetch(recordName(arg))
		}
	}
}

// recordName is what the record of an argument, or of the current task, is kept as.
func recordName(arg int) string { return fmt.Sprintf("record of task %d", arg) }

func (g *gen) findRecord(arg int, make bool) {
	end := g.Label()
	if arg == probe.CurrentTask {
		g.LoadsTask()
		g.MapPtr(asm.R1, valuesMap)
		g.Emit(asm.Mov.Reg(asm.R2, asm.R9))
	} else {
		g.Emit(asm.LoadMem(asm.R2, asm.R6, int16(8*arg), asm.DWord), asm.Mov.Imm(asm.R0, 0))
		g.Jump(asm.JEq, asm.R2, 0, end)
		g.MapPtr(asm.R1, valuesMap)
	}
	g.Emit(asm.Mov.Imm(asm.R3, 0), asm.Mov.Imm(asm.R4, emit.Pick[int32](make, 1, 0)))
	g.Call(asm.FnTaskStorageGet)
	g.Bind(end)
}

// word is where in the record that reg points to a table's value is.
func (g *gen) word(ref *plylang.MapRef, reg asm.Register) emit.Mem {
	return emit.Mem{Reg: reg, Off: 8 * g.maps[ref.Map].Word, Size: 8}
}

// readOfTask leaves a task's value in R0.
func (g *gen) readOfTask(ref *plylang.MapRef) {
	none := g.Label()
	g.recordOf(ref, false)
	g.Jump(asm.JEq, asm.R0, 0, none)
	g.Load(asm.R0, g.word(ref, asm.R0))
	g.Bind(none)
}

// feedOfTask changes the value at R7; that there is no memory for it is counted.
func (g *gen) feedOfTask(ref *plylang.MapRef, change func()) {
	found, end := g.Label(), g.Label()
	g.recordOf(ref, true)
	g.Jump(asm.JNE, asm.R0, 0, found)
	g.increment(1 + g.maps[ref.Map].ID)
	g.Goto(end)
	g.Bind(found)
	g.Address(asm.R7, g.word(ref, asm.R0))
	change()
	g.hasSomething()
	g.Bind(end)
}

// storeOfTask stores a number.
func (g *gen) storeOfTask(ref *plylang.MapRef, x plylang.Expr) {
	g.expr(x)
	value := g.Spill()
	g.feedOfTask(ref, func() {
		g.Load(asm.R1, value)
		g.Store(emit.Mem{Reg: asm.R7, Size: 8}, asm.R1)
	})
	g.Free(value)
}

// deleteOfTask forgets a task's value.
func (g *gen) deleteOfTask(ref *plylang.MapRef) {
	none := g.Label()
	g.recordOf(ref, false)
	g.Jump(asm.JEq, asm.R0, 0, none)
	g.Zero(g.word(ref, asm.R0))
	g.Bind(none)
}
