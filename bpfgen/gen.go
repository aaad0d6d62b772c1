package bpfgen

import (
	"fmt"
	"math"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// How code is generated
//
// The checked tree is walked once per program and instructions are appended.
// There is no register allocator; registers have fixed roles:
//
//	R0       the value just computed
//	R1 – R5  scratch, lost in every call
//	R6       the program's context
//	R7       the map value that is being updated
//	R8       the scratch memory, in programs that need it
//	R10      the frame
//
// A value that must survive the evaluation of another one lives in a slot (see
// gen_memory.go). A scalar in a register always has 64 bits, widened from its
// type's size by its type's sign. All jumps go forward. Code that cannot be
// reached, and labels nobody jumps to, are not emitted, because the verifier
// refuses the one and the other only makes listings longer.

// A gen writes the instructions of one program.
type gen struct {
	*compiler
	program *planned
	clause  *plylang.Clause
	scope   *scope // of clause

	insns   asm.Instructions
	pos     plylang.Pos // what the next instructions come from
	last    plylang.Pos // what the previous ones came from
	dead    bool        // the next instruction cannot be reached
	labels  int
	pending map[string][]int // instructions that jump to a label not bound yet
	here    string           // label of the next instruction

	memory memory
	locals map[*plylang.Local]mem
	done   string   // label at the end of the clause
	finish string   // label at the end of the program
	loops  []unroll // innermost last
	rounds int      // of all loops so far
	events []*object.Event
}

func newGen(c *compiler, p *planned, scratch string) *gen {
	g := &gen{compiler: c, program: p, pending: map[string][]int{}, last: -1}
	g.memory.scratchName = scratch
	return g
}

// tooLong says whether there is more code than a program can have, or so many
// rounds of loops that do nothing that nobody would wait for their end.
func (g *gen) tooLong() bool { return len(g.insns) > maxInstructions || g.rounds > maxInstructions }

// emit appends instructions.
func (g *gen) emit(insns ...asm.Instruction) {
	if g.dead {
		return
	}
	for _, ins := range insns {
		if g.here != "" {
			ins, g.here = ins.WithSymbol(g.here), ""
		}
		if g.pos != g.last {
			ins, g.last = ins.WithSource(object.Source{Src: g.script.Src, Pos: g.pos}), g.pos
		}
		g.insns = append(g.insns, ins)
	}
}

// at says that what is emitted from now on comes from n.
func (g *gen) at(n plylang.Node) { g.pos = n.Position() }

// label makes a new label.
func (g *gen) label() string {
	g.labels++
	return fmt.Sprintf("L%d", g.labels)
}

// jump goes to label if R(reg) op imm.
func (g *gen) jump(op asm.JumpOp, reg asm.Register, imm int32, label string) {
	g.branch(op.Imm(reg, imm, label), label)
}

// jumpReg goes to label if R(x) op R(y).
func (g *gen) jumpReg(op asm.JumpOp, x, y asm.Register, label string) {
	g.branch(op.Reg(x, y, label), label)
}

// goto_ goes to label.
func (g *gen) goto_(label string) {
	g.branch(asm.Ja.Label(label), label)
	g.dead = true
}

func (g *gen) branch(ins asm.Instruction, label string) {
	if g.dead {
		return
	}
	g.pending[label] = append(g.pending[label], len(g.insns))
	g.emit(ins)
}

// bind puts label before the next instruction.
func (g *gen) bind(label string) {
	g.dropJumpToNext(label)
	from := g.pending[label]
	if len(from) == 0 {
		return
	}
	delete(g.pending, label)
	g.dead = false
	if g.here == "" {
		g.here = label
		return
	}
	for _, i := range from {
		g.insns[i] = g.insns[i].WithReference(g.here)
	}
}

// dropJumpToNext removes an unconditional jump to label if it is the last
// instruction.
func (g *gen) dropJumpToNext(label string) {
	from, n := g.pending[label], len(g.insns)
	if g.here != "" || len(from) == 0 || from[len(from)-1] != n-1 {
		return
	}
	ins := g.insns[n-1]
	if ins.OpCode.JumpOp() != asm.Ja || ins.Symbol() != "" {
		return
	}
	if ins.Source() != nil {
		g.last = -1
	}
	g.insns, g.pending[label] = g.insns[:n-1], from[:len(from)-1]
	g.dead = false
}

// call calls a helper.
func (g *gen) call(fn asm.BuiltinFunc) { g.emit(fn.Call()) }

// imm puts a constant into a register.
func (g *gen) imm(reg asm.Register, v int64) {
	if v >= math.MinInt32 && v <= math.MaxInt32 {
		g.emit(asm.Mov.Imm(reg, int32(v)))
		return
	}
	g.emit(asm.LoadImm(reg, v, asm.DWord))
}

// mapPtr puts the address of a map into a register.
func (g *gen) mapPtr(reg asm.Register, name string) {
	g.emit(asm.LoadMapPtr(reg, 0).WithReference(name))
}

// mapValue puts the address of the only value of an array into a register.
func (g *gen) mapValue(reg asm.Register, name string, offset int) {
	g.emit(asm.LoadMapValue(reg, 0, uint32(offset)).WithReference(name))
}

// atomic emits an atomic operation on 64 bits. The instruction's constant is
// set by hand, because cilium/ebpf v0.22.0 encodes all of them as additions
// otherwise.
func (g *gen) atomic(op asm.AtomicOp, dst asm.Register, off int, src asm.Register) {
	ins := op.Mem(dst, src, asm.DWord, int16(off))
	ins.Constant = int64(op >> 8)
	g.emit(ins)
}

// increment adds one to a word of the state map.
func (g *gen) increment(word int) {
	g.mapValue(asm.R1, object.StateMap, 8*word)
	g.emit(asm.Mov.Imm(asm.R2, 1))
	g.atomic(asm.AddAtomic, asm.R1, 0, asm.R2)
}
