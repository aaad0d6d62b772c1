package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// The clock
//
// An event happens at one time: a program that asks for it in several places reads
// the clock once, which costs as much as a lookup in a hash. Which place comes first
// is known at run time only, so the program begins with a time of 0, which the clock
// never shows.

// prepareClock is for the beginning of a program.
func (g *gen) prepareClock() {
	reads := 0
	for _, c := range g.program.Clauses {
		if c.Pred != nil {
			reads += clockReads(c.Pred)
		}
		reads += clockReads(c.Body)
	}
	if reads > 1 {
		g.PrepareClock()
	}
}

// clockReads counts the places below n that ask for the time. One in a loop is
// several.
func clockReads(n plylang.Node) (reads int) {
	plylang.Walk(n, func(n plylang.Node) bool {
		switch n := n.(type) {
		case *plylang.Unroll:
			reads += 2 * clockReads(n.Body)
			return false
		case *plylang.Name:
			if n.Func != nil && isClock[n.Func.Name] {
				reads++
			}
		}
		return true
	})
	return reads
}

// isClock has the built-ins that read the clock.
var isClock = map[string]bool{"time": true, "nsecs": true, "walltime": true, "elapsed": true}

// now leaves the time of the event in R0.
func now(g *gen) { g.Now() }

// walltime is the monotonic clock and what the time of day is ahead of it.
// bpf_ktime_get_tai_ns is there from Linux 6.1 only.
func walltime(g *gen) {
	g.compiler.clock = true
	now(g)
	g.MapValue(asm.R1, object.ClockMap, 0)
	g.Load(asm.R1, emit.Mem{Reg: asm.R1, Off: 0, Size: 8})
	g.Emit(asm.Add.Reg(asm.R0, asm.R1))
}
