package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
)

// How code is generated
//
// The checked tree is walked once per program and instructions are appended.
// Package emit has the roles of the registers: an expression's value is in R0,
// and what must survive the evaluation of another one lives in a slot. A scalar
// in a register always has 64 bits, widened from its type's size by its type's
// sign.

// A gen writes the instructions of one program.
type gen struct {
	*compiler
	probe.Context
	program *probe.Program
	scratch emit.Scratch

	pos    plylang.Pos // of what is generated now
	locals map[*plylang.Local]emit.Mem
	done   string   // label at the end of the clause
	finish string   // label at the end of the program
	loops  []unroll // innermost last
	rounds int      // of all loops so far
	forks  bool     // the clause has so many paths that the verifier must forget them
	events []*object.Event
	weight *emit.Mem // how often the event counts; nil: once

	kept       map[string]*keptValue // of the clause, by the text of the expression
	keptValues int                   // of all clauses so far
	within     int                   // how often the value is used that is read now

	records map[int]bool // whose were asked for, by argument: see recordOf
}

func newGen(c *compiler, p *probe.Program, scratch emit.Scratch) *gen {
	context := probe.Context{Emitter: emit.New(scratch, &c.constants), Kernel: c.kernel, Attach: p.Attach, Typed: p.Typed(), Points: p.Points}
	g := &gen{compiler: c, Context: context, program: p, scratch: scratch, records: map[int]bool{}}
	g.Fault = g.countFault
	return g
}

// countFault counts that memory of a process could not be read.
func (g *gen) countFault() {
	g.obj.ReadsUser = true
	g.increment(object.FaultWord(len(g.script.Maps)))
}

// tooLong says whether there is more code than a program can have, or so many
// rounds of loops that do nothing that nobody would wait for their end.
func (g *gen) tooLong() bool {
	return len(g.Instructions()) > maxInstructions || g.rounds > maxInstructions
}

// at says that what is emitted from now on comes from n.
func (g *gen) at(n plylang.Node) {
	g.pos = n.Position()
	g.From(object.Source{Src: g.script.Src, Pos: g.pos})
}

// increment counts the event in a word of the state map.
func (g *gen) increment(word int) {
	g.MapValue(asm.R1, object.StateMap, 8*word)
	g.one(asm.R2)
	g.Atomic(asm.AddAtomic, asm.R1, 0, asm.R2)
}

// losesEvent counts an event for which there is no memory as one that the first map,
// or the output, has lost, and goes to end.
func (g *gen) losesEvent(end string) {
	g.increment(min(1, len(g.script.Maps)))
	g.Goto(end)
}
