package bpfgen

import (
	"sort"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// A callRange is the numbers from lo to hi.
type callRange struct{ lo, hi int32 }

// rangesOf merges numbers that follow each other.
func rangesOf(numbers []int) []callRange {
	sorted := append([]int(nil), numbers...)
	sort.Ints(sorted)
	var out []callRange
	for _, n := range sorted {
		if last := len(out) - 1; last >= 0 && int32(n) <= out[last].hi+1 {
			out[last].hi = int32(n)
			continue
		}
		out = append(out, callRange{int32(n), int32(n)})
	}
	return out
}

// emitRanges goes to skip unless R0 is in one of the ranges: a tree of
// comparisons, so that 30 of them cost 5. What is negative is large here.
func emitRanges(g *gen, ranges []callRange, skip string) {
	in := g.Label()
	rangeTree(g, ranges, in, skip)
	g.Bind(in)
}

func rangeTree(g *gen, ranges []callRange, in, skip string) {
	if len(ranges) == 1 {
		inRange(g, ranges[0], skip)
		return
	}
	mid := len(ranges) / 2
	below := g.Label()
	g.Jump(asm.JLT, asm.R0, ranges[mid].lo, below)
	rangeTree(g, ranges[mid:], in, skip)
	g.Goto(in)
	g.Bind(below)
	rangeTree(g, ranges[:mid], in, skip)
}

// inRange falls through when R0 is in r.
func inRange(g *gen, r callRange, skip string) {
	if r.lo == r.hi {
		g.Jump(asm.JNE, asm.R0, r.lo, skip)
		return
	}
	if r.lo > 0 {
		g.Jump(asm.JLT, asm.R0, r.lo, skip)
	}
	g.Jump(asm.JGT, asm.R0, r.hi, skip)
}

// filterCalls is the filter of a clause on the system calls of s.calls, which
// are some or all of calls. own leaves out
// the children that come out of their parents' calls, and what rt_sigreturn
// makes look like the return of a call.
func (s *scope) filterCalls(calls []kernel.Syscall, kind syscallKind, own bool) func(g *gen, skip string) {
	var cloning []int
	for _, c := range calls {
		if c.Forks {
			cloning = append(cloning, c.Number)
		}
	}
	return func(g *gen, skip string) {
		kind.number(g)
		emitRanges(g, rangesOf(s.calls), skip)
		if own && len(cloning) > 0 {
			skipChildren(g, cloning, skip)
		}
		nativeOnly(g, skip)
		if own {
			skipSigreturn(g, skip)
		}
	}
}

// skipChildren goes to skip when a new child comes out of a call that its parent
// made: with 0, where the parent gets the child's id. R0 is the number.
func skipChildren(g *gen, cloning []int, skip string) {
	keep := g.Label()
	loadResult(g, asm.R1)
	g.Jump(asm.JNE, asm.R1, 0, keep)
	for _, nr := range cloning {
		g.Jump(asm.JEq, asm.R0, int32(nr), skip)
	}
	g.Bind(keep)
}

// skipSigreturn goes to skip when what returns is rt_sigreturn with the number
// of the call before the signal.
func skipSigreturn(g *gen, skip string) {
	if register := g.kernel.Arch().Sigreturn; register != "" {
		loadCallersRegister(g, register, plylang.U64)
		g.Jump(asm.JEq, asm.R0, -1, skip)
	}
}

// nativeOnly goes to skip when the call is one of another instruction set (a
// 32-bit process on a 64-bit kernel): a bit of the task's thread_info says so.
func nativeOnly(g *gen, skip string) {
	bit := g.kernel.Arch().Compat
	if bit.Mask == 0 {
		return
	}
	offset, err := g.kernel.FieldOffset("task_struct", bit.Field)
	if err != nil {
		return
	}
	slot := g.Slot(8)
	g.Call(asm.FnGetCurrentTask)
	g.Emit(asm.Mov.Reg(asm.R3, asm.R0), asm.Add.Imm(asm.R3, int32(offset)))
	g.Zero(slot)
	g.ProbeRead(slot.At(0, 4), false)
	g.Load(asm.R0, slot)
	g.Free(slot)
	g.Jump(asm.JSet, asm.R0, int32(bit.Mask), skip)
}
