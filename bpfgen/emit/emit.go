// Package emit writes instructions: labels and jumps, slots in memory, loads,
// stores, calls of helpers. It knows no script.
package emit

import (
	"fmt"
	"math"

	"github.com/cilium/ebpf/asm"
)

// There is no register allocator; registers have fixed roles:
//
//	R0       the value just computed
//	R1 – R5  scratch, lost in every call
//	R6       the program's context
//	R7       the map value that is being updated
//	R8       the scratch memory, in programs that need it
//	R9       the current task, where every path has fetched it (see once.go)
//	R10      the frame
//
// A value that must survive the evaluation of another one lives in a slot (see
// memory.go).

// An Emitter appends instructions to a program.
//
// All jumps go forward, but for those of a Loop. Code that cannot be reached, and labels nobody jumps
// to, are not emitted, because the verifier refuses the one and the other only
// makes listings longer.
type Emitter struct {
	insns   asm.Instructions
	pos     fmt.Stringer // what the next instructions come from
	last    fmt.Stringer // what the previous ones came from
	dead    bool         // the next instruction cannot be reached
	labels  int
	pending map[string][]int // instructions that jump to a label not bound yet
	here    string           // label of the next instruction
	memory  memory
	once    once

	constants *Constants

	// Fault counts that memory of a process could not be read. It may change R1 to R5.
	Fault func()
}

// New returns an emitter for an empty program, whose large values go to scratch
// memory, and whose constants are put to others.
func New(scratch Scratch, constants *Constants) *Emitter {
	return &Emitter{pending: map[string][]int{}, once: newOnce(), memory: memory{maps: scratch}, constants: constants}
}

// From says where in the source the instructions that follow come from. The
// first instruction of each position carries it; positions are compared by ==.
func (e *Emitter) From(pos fmt.Stringer) { e.pos = pos }

// Instructions returns what was emitted.
func (e *Emitter) Instructions() asm.Instructions { return e.insns }

// Unreachable says whether the next instruction cannot be reached.
func (e *Emitter) Unreachable() bool { return e.dead }

// Exit ends the program: label is where it returns result.
func (e *Emitter) Exit(label string, result int32) {
	e.Bind(label)
	e.dead = false
	e.Emit(asm.Mov.Imm(asm.R0, result), asm.Return())
}

// Emit appends instructions.
func (e *Emitter) Emit(insns ...asm.Instruction) {
	if e.dead {
		return
	}
	for _, ins := range insns {
		if e.here != "" {
			ins, e.here = ins.WithSymbol(e.here), ""
		}
		if e.pos != e.last {
			ins, e.last = ins.WithSource(e.pos), e.pos
		}
		e.insns = append(e.insns, ins)
	}
}

// Label makes a new label.
func (e *Emitter) Label() string {
	e.labels++
	return fmt.Sprintf("L%d", e.labels)
}

// Jump goes to label if R(reg) op imm.
func (e *Emitter) Jump(op asm.JumpOp, reg asm.Register, imm int32, label string) {
	e.branch(op.Imm(reg, imm, label), label)
}

// JumpReg goes to label if R(x) op R(y).
func (e *Emitter) JumpReg(op asm.JumpOp, x, y asm.Register, label string) {
	e.branch(op.Reg(x, y, label), label)
}

// Goto goes to label.
func (e *Emitter) Goto(label string) {
	e.branch(asm.Ja.Label(label), label)
	e.dead = true
}

func (e *Emitter) branch(ins asm.Instruction, label string) {
	if e.dead {
		return
	}
	e.pending[label] = append(e.pending[label], len(e.insns))
	e.once.jump(label)
	e.Emit(ins)
}

// Bind puts label before the next instruction.
func (e *Emitter) Bind(label string) {
	e.dropJumpToNext(label)
	from := e.pending[label]
	if len(from) == 0 {
		return
	}
	delete(e.pending, label)
	e.once.bind(label, !e.dead)
	e.dead = false
	if e.here == "" {
		e.here = label
		return
	}
	for _, i := range from {
		e.insns[i] = e.insns[i].WithReference(e.here)
	}
}

// Loop puts a label before the next instruction for a jump back to it. What is between
// must call nothing and fetch nothing that is kept (see once.go). Loops whose end the
// verifier sees need Linux 5.3.
func (e *Emitter) Loop() string {
	if e.here == "" {
		e.here = e.Label()
	}
	return e.here
}

// dropJumpToNext removes an unconditional jump to label if it is the last
// instruction.
func (e *Emitter) dropJumpToNext(label string) {
	from, n := e.pending[label], len(e.insns)
	if e.here != "" || len(from) == 0 || from[len(from)-1] != n-1 {
		return
	}
	ins := e.insns[n-1]
	if ins.OpCode.JumpOp() != asm.Ja || ins.Symbol() != "" {
		return
	}
	if ins.Source() != nil {
		e.last = nil
	}
	e.insns, e.pending[label] = e.insns[:n-1], from[:len(from)-1]
	e.dead = false
}

// Call calls a helper.
func (e *Emitter) Call(fn asm.BuiltinFunc) { e.Emit(fn.Call()) }

// Imm puts a constant into a register.
func (e *Emitter) Imm(reg asm.Register, v int64) {
	if v >= math.MinInt32 && v <= math.MaxInt32 {
		e.Emit(asm.Mov.Imm(reg, int32(v)))
		return
	}
	e.Emit(asm.LoadImm(reg, v, asm.DWord))
}

// MapPtr puts the address of a map into a register.
func (e *Emitter) MapPtr(reg asm.Register, name string) {
	e.Emit(asm.LoadMapPtr(reg, 0).WithReference(name))
}

// MapValue puts the address of the only value of an array into a register.
func (e *Emitter) MapValue(reg asm.Register, name string, offset int) {
	e.Emit(asm.LoadMapValue(reg, 0, uint32(offset)).WithReference(name))
}

// Atomic emits an atomic operation on 64 bits. The instruction's constant is
// set by hand, because cilium/ebpf v0.22.0 encodes all of them as additions
// otherwise.
func (e *Emitter) Atomic(op asm.AtomicOp, dst asm.Register, off int, src asm.Register) {
	ins := op.Mem(dst, src, asm.DWord, int16(off))
	ins.Constant = int64(op >> 8)
	e.Emit(ins)
}
