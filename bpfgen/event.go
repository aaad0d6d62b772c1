package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// send sends an event to the ring buffer: its index in Object.Events, then the
// arguments. One that the ring has no room for is counted, if it says anything.
func (g *gen) send(e *object.Event, args []plylang.Expr) {
	id := len(g.obj.Events) + len(g.events)
	e.Pos, e.Size = g.pos, 8
	for _, a := range args {
		t := a.Type()
		e.Args = append(e.Args, object.KeyPart{Type: t, Offset: e.Size})
		e.Size += emit.Padded(t.Size)
	}
	ofGeneration := e.Kind == object.EventPrintMap && e.Map.Cleared()
	if ofGeneration {
		e.Size += 8
	}
	g.events = append(g.events, e)
	record := g.Slot(e.Size)
	g.StoreImm(record.Word(0), int64(id))
	if ofGeneration {
		g.loadClearState(e.Map)
		g.Store(record.Word(1), asm.R0)
	}
	for i, a := range args {
		g.storeValue(record.At(e.Args[i].Offset, emit.Padded(e.Args[i].Type.Size)), a)
	}
	g.Address(asm.R2, record)
	g.Emit(asm.Mov.Imm(asm.R3, int32(e.Size)), asm.Mov.Imm(asm.R4, 0))
	g.MapPtr(asm.R1, object.RingMap)
	g.Call(asm.FnRingbufOutput)
	if e.Kind == object.EventExit || e.Kind == object.EventClear {
		return // what it says is in the memory that is shared
	}
	sent := g.Label()
	g.Jump(asm.JEq, asm.R0, 0, sent)
	g.increment(0)
	g.Bind(sent)
}

// storeValue evaluates x into memory.
func (g *gen) storeValue(dst emit.Mem, x plylang.Expr) {
	if !x.Type().Scalar() {
		g.memInto(x, dst)
		return
	}
	g.expr(x)
	g.Store(dst, asm.R0)
}

// sendPrint is print(): maps as they are when the event is read, and values.
func sendPrint(g *gen, args []plylang.Expr) {
	var values []plylang.Expr
	for _, a := range args {
		ref, ok := a.(*plylang.MapRef)
		if ok && ref.Type().Kind == plylang.Void {
			g.send(&object.Event{Kind: object.EventPrintMap, Map: g.maps[ref.Map]}, nil)
			continue
		}
		values = append(values, a)
	}
	if len(values) > 0 || len(args) == 0 {
		g.send(&object.Event{Kind: object.EventPrint}, values)
	}
}

func sendPrintf(g *gen, args []plylang.Expr) {
	g.send(&object.Event{Kind: object.EventPrintf, Format: args[0].(*plylang.StringLit).Value}, args[1:])
}

// sendExit ends the run and leaves the program at once: clauses that follow do
// not run, but those of END do. The status stands in the state map, where no
// full ring can refuse it; the event only wakes the reader. The first exit()
// counts.
func sendExit(g *gen, args []plylang.Expr) {
	if !g.opt.Run {
		g.errs.Add(g.script.Src, g.pos, "exit() ends a run, and an exporter does not end: leave it out, or use return")
	}
	if len(args) == 0 {
		args = []plylang.Expr{zeroLiteral}
	}
	leave := emit.Pick(g.program.Attach == object.AttachEnd, g.done, g.finish)
	g.expr(args[0])
	g.Emit(asm.And.Imm(asm.R0, 0xff), asm.Add.Imm(asm.R0, 1))
	g.leaveIfExited(leave)
	g.Store(emit.Mem{Reg: asm.R1, Off: 0, Size: 8}, asm.R0)
	g.send(&object.Event{Kind: object.EventExit}, nil)
	g.Goto(leave)
}

// leaveIfStopped goes to label if the script was stopped, by exit() or from
// outside: detaching takes seconds, in which nothing must be counted.
func (g *gen) leaveIfStopped(label string) {
	g.leaveIfState(asm.DWord, label)
}

// leaveIfExited goes to label if the script has called exit(), which END may do
// although the script was stopped. It leaves the address of the state map's word
// in R1.
func (g *gen) leaveIfExited(label string) {
	g.leaveIfState(asm.Word, label)
}

// leaveIfState goes to label unless the state map's last word, or the lower half
// of it, is 0.
func (g *gen) leaveIfState(size asm.Size, label string) {
	g.MapValue(asm.R1, object.StateMap, 8*(1+len(g.script.Maps)))
	g.Emit(asm.LoadMem(asm.R2, asm.R1, 0, size))
	g.Jump(asm.JNE, asm.R2, 0, label)
}

var zeroLiteral = &plylang.Number{Typed: plylang.Typed{T: plylang.Literal}, Text: "0"}
