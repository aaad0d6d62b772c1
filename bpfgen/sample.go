package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Samples
//
// A program of a script that is sampled draws whether it looks at an event: with a
// chance of 1 in n, where n is a power of two that user space may change at any time.
// What it adds for one that it looks at it adds n times. So what is added for an event is
// what it would be without samples, in the mean, whatever n is at that moment, and sums
// over events stay unbiased when n changes. This holds for what adds up events that do
// not depend on each other, and for nothing else.

// draw ends the program unless the event is in the sample, and keeps for how many it
// stands.
func (g *gen) draw() {
	if !g.opt.Sample || g.program.Attach == object.AttachBegin || g.program.Attach == object.AttachEnd {
		return
	}
	all := g.Label()
	g.MapValue(asm.R1, object.StateMap, 8*object.SampleWord(len(g.script.Maps)))
	g.Load(asm.R0, emit.Mem{Reg: asm.R1, Off: 0, Size: 8})
	weight := g.Spill()
	g.Jump(asm.JEq, asm.R0, 0, all)
	g.Call(asm.FnGetPrandomU32)
	g.Load(asm.R1, weight)
	g.Emit(asm.And.Reg(asm.R0, asm.R1))
	g.Jump(asm.JNE, asm.R0, 0, g.finish)
	g.Bind(all)
	g.Load(asm.R0, weight)
	g.Emit(asm.Add.Imm(asm.R0, 1))
	g.Store(weight, asm.R0)
	g.weight = &weight
}

// one leaves in a register how often the event counts.
func (g *gen) one(reg asm.Register) {
	if g.weight == nil {
		g.Emit(asm.Mov.Imm(reg, 1))
		return
	}
	g.Load(reg, *g.weight)
}

// storeOne stores how often the event counts.
func (g *gen) storeOne(dst emit.Mem) {
	if g.weight == nil {
		g.StoreImm(dst, 1)
		return
	}
	g.Load(asm.R5, *g.weight)
	g.Store(dst, asm.R5)
}

// weigh multiplies registers by how often the event counts. R5 is lost.
func (g *gen) weigh(regs ...asm.Register) {
	if g.weight == nil {
		return
	}
	g.Load(asm.R5, *g.weight)
	for _, reg := range regs {
		g.Emit(asm.Mul.Reg(reg, asm.R5))
	}
}

// weighedElse is where code that has weighed a register meets code that comes from small
// and has not.
func (g *gen) weighedElse(small string, reg asm.Register) {
	if g.weight == nil {
		g.Bind(small)
		return
	}
	end := g.Label()
	g.Goto(end)
	g.Bind(small)
	g.weigh(reg)
	g.Bind(end)
}

// refuseSample finds what events of a sample cannot tell.
func (c *compiler) refuseSample() {
	refused := map[string]bool{}
	refuse := func(n plylang.Node, what string) {
		if !refused[what] {
			refused[what] = true
			c.errs.Add(c.script.Src, n.Position(), "%s: events of a script with sample: must not depend on each other, and it must do nothing but count(), sum(), avg() and histograms", what)
		}
	}
	for _, clause := range c.script.Clauses {
		if clause.Pred != nil {
			refuseSampled(clause.Pred, refuse)
		}
		refuseSampled(clause.Body, refuse)
	}
}

func refuseSampled(n plylang.Node, refuse func(n plylang.Node, what string)) {
	plylang.Walk(n, func(n plylang.Node) bool {
		switch n := n.(type) {
		case *plylang.Assign:
			return !refuseFed(n, refuse)
		case *plylang.MapRef:
			refuse(n, "reads "+n.Map.Name)
		case *plylang.Delete:
			refuse(n, "deletes a key of "+n.Map.Map.Name)
			return false
		case *plylang.Name:
			if n.Func != nil && n.Func.Name == "elapsed" {
				refuse(n, "elapsed needs the beginning of each call")
			}
		case *plylang.ExprStmt:
			if call, ok := n.X.(*plylang.Call); ok {
				refuse(call, call.Name+"()")
			}
			return false
		}
		return true
	})
}

// refuseFed refuses an assignment to a map that cannot be scaled, and says whether it is
// one to a map. What is in its keys and arguments is looked at, too.
func refuseFed(a *plylang.Assign, refuse func(n plylang.Node, what string)) bool {
	ref, ok := a.LHS.(*plylang.MapRef)
	if !ok {
		return false
	}
	switch {
	case ref.Map.Agg == nil:
		refuse(ref, "stores in the table "+ref.Map.Name)
		return true
	case byName[ref.Map.Agg.Name].agg.Reduce != object.ReduceSum:
		refuse(ref, ref.Map.Agg.Name+"() of a sample is not that of all events")
	}
	for _, key := range ref.Keys {
		refuseSampled(key, refuse)
	}
	refuseSampled(a.X, refuse)
	return true
}
