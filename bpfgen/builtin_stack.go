package bpfgen

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Stacks
//
// A stack is kept once in a hash, by a number that is computed of it: that is its id
// in keys and values. The kernel's own maps of stacks are not used. They have room for
// one stack in each bucket, so they lose one in ten when a tenth of their room is
// used, and a process's stack has another id in each process of a program, since it is
// computed of addresses.
//
// A process's frames are places in files, by build ID, which are the same in each
// process. Where one is not, because the file has no build ID or the code was made by
// the program itself, the stack is that of one process: its number is kept with it.

// flags of bpf_get_stack, beside how many frames to skip.
const (
	ofUser      = 1 << 8  // BPF_F_USER_STACK
	withBuildID = 1 << 11 // BPF_F_USER_BUILD_ID
)

// stackDepth is how deep a stack is at most, of which the innermost frames are kept:
// PERF_MAX_STACK_DEPTH.
const stackDepth = 127

// A stackKind is how stacks are kept.
type stackKind struct {
	name    string
	flags   int32
	entries uint32
	head    int   // bytes before the frames: object.StackProcess
	frame   int   // bytes
	words   []int // where the words of a frame are by which it is known
}

var (
	kernelStacks = &stackKind{name: object.StackMap, entries: 8192, frame: 8, words: []int{0}}
	userStacks   = &stackKind{
		name: object.UserStackMap, flags: ofUser | withBuildID, entries: 4096,
		head: object.StackHead, frame: object.FrameSize, words: []int{0, 8, 24},
	}
)

func (k *stackKind) size() int { return k.head + k.frame*stackDepth }

var (
	kernelStack = &plylang.Type{Kind: plylang.Stack, Size: 8, Signed: true, Display: plylang.DisplayStack}
	userStack   = &plylang.Type{Kind: plylang.Stack, Size: 8, Signed: true, Display: plylang.DisplayUserStack}
)

// callFrames are how many frames lie between a program and what it traces, where
// the kernel calls it as a function: its own, and that of what the kernel puts before
// a traced function. They are no part of its stack.
var callFrames = map[ebpf.ProgramType]int32{ebpf.RawTracepoint: 1, ebpf.Tracing: 2}

// kernelStackID leaves the id of the kernel's stack. Where the kernel finds frames by a
// register for them, before a traced function there is one more, that of the program's call.
func kernelStackID(g *gen) {
	skip := callFrames[g.program.Spec.Type]
	if g.program.Spec.Type == ebpf.Tracing && g.kernel.Arch().Name != "amd64" {
		skip++
	}
	g.Scoped(func() { g.stackID(kernelStacks, skip) })
}

// userStackID leaves the id of the stack of the process.
func userStackID(g *gen) { g.Scoped(func() { g.stackID(userStacks, 0) }) }

// stackID keeps a stack and leaves its id: 0 or less where there is none, as of a
// process in a thread of the kernel, and object.LostStack where there is no room.
func (g *gen) stackID(kind *stackKind, skip int32) {
	g.obj.Spec.Maps[kind.name] = &ebpf.MapSpec{
		Name: kind.name, Type: ebpf.Hash, KeySize: 8, ValueSize: uint32(kind.size()), MaxEntries: kind.entries,
	}
	none := g.Label()
	stack, id := g.Slot(kind.size()), g.Slot(8)
	frames := stack.At(kind.head, stack.Size-kind.head)
	g.Emit(asm.Mov.Reg(asm.R1, asm.R6))
	g.Address(asm.R2, frames)
	g.Emit(asm.Mov.Imm(asm.R3, int32(frames.Size)), asm.Mov.Imm(asm.R4, kind.flags|skip))
	g.Call(asm.FnGetStack)
	g.Jump(asm.JSLE, asm.R0, 0, none)
	g.Store(id, asm.R0)
	var process, head emit.Mem
	if kind.head > 0 {
		process, head = g.Slot(8), stack.Word(0)
		taskID(true)(g)
		g.Store(process, asm.R0)
		g.Zero(head)
	}
	g.hashFrames(kind, id, frames, head, process)
	g.Store(id, asm.R0)
	g.keepStack(kind, id, stack)
	g.Bind(none)
}

// hashFrames leaves a number above 0 that is computed of as many bytes of frames as
// size says. The number of the process is written to head, and is one that is
// computed with, where a frame is an address.
func (g *gen) hashFrames(kind *stackKind, size, frames, head, process emit.Mem) {
	end := g.Label()
	g.Load(asm.R2, size)
	g.Address(asm.R1, frames)
	g.Emit(asm.Mov.Imm(asm.R5, 0))
	g.Imm(asm.R0, 1)
	g.Imm(asm.R4, odd)
	next := g.Loop()
	g.JumpReg(asm.JGE, asm.R5, asm.R2, end)
	for _, at := range kind.words {
		g.Emit(asm.LoadMem(asm.R3, asm.R1, int16(at), asm.DWord))
		g.mix()
	}
	if kind.head > 0 {
		inFile := g.Label()
		g.Emit(asm.LoadMem(asm.R3, asm.R1, 0, asm.Word))
		g.Jump(asm.JNE, asm.R3, object.FrameAtAddress, inFile)
		g.Load(asm.R3, process)
		g.Store(head, asm.R3)
		g.Bind(inFile)
	}
	g.Emit(asm.Add.Imm(asm.R1, int32(kind.frame)), asm.Add.Imm(asm.R5, int32(kind.frame)))
	g.Emit(asm.JLT.Imm(asm.R5, int32(kind.frame*stackDepth), next))
	g.Bind(end)
	if kind.head > 0 {
		g.Load(asm.R3, head)
		g.mix()
	}
	g.Emit(asm.RSh.Imm(asm.R0, 1))
}

// mix computes a number in R0 anew with R3, and R4, which is odd.
func (g *gen) mix() {
	g.Emit(
		asm.Xor.Reg(asm.R0, asm.R3), asm.Mul.Reg(asm.R0, asm.R4),
		asm.Mov.Reg(asm.R3, asm.R0), asm.RSh.Imm(asm.R3, 32), asm.Xor.Reg(asm.R0, asm.R3),
	)
}

// odd is what numbers are multiplied by: 2^64 divided by the golden ratio, whose bits
// are spread evenly.
const odd = -0x61c8864680b583eb

// keepStack keeps a stack under its id unless it is there, and leaves the id, or
// object.LostStack where there is no room.
func (g *gen) keepStack(kind *stackKind, id, stack emit.Mem) {
	there := g.Label()
	g.Address(asm.R2, id)
	g.MapPtr(asm.R1, kind.name)
	g.Call(asm.FnMapLookupElem)
	g.Jump(asm.JNE, asm.R0, 0, there)
	g.Address(asm.R2, id)
	g.Address(asm.R3, stack)
	g.Emit(asm.Mov.Imm(asm.R4, bpfNoExist))
	g.MapPtr(asm.R1, kind.name)
	g.Call(asm.FnMapUpdateElem)
	g.Jump(asm.JEq, asm.R0, 0, there)
	g.Jump(asm.JEq, asm.R0, -int32(unix.EEXIST), there) // another CPU was faster
	g.StoreImm(id, object.LostStack)
	g.Bind(there)
	g.Load(asm.R0, id)
}
