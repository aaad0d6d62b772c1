package bpfgen

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/bpfgen/probe"
)

// The code of elapsed; probe/elapsed.go tells how calls are told apart.
//
// The word of a thread stays in its map between calls and is 0 then: to find and
// change it costs half of what inserting and deleting a key do. Frames are too many
// for that.

// Names of the maps of beginnings.
const (
	taskMap  = "ply_tasks"  // by the address of a task
	frameMap = "ply_frames" // by frame and site
	callMap  = "ply_calls"  // of programs: by frame, site and the address of a task
)

// defaultCalls is how many threads and frames have room in these maps, unless the
// script's default for maps is more.
const defaultCalls = 16384

// noteTimings notes how the programs learn when calls began.
func (c *compiler) noteTimings(programs []*probe.Program) {
	c.timings = map[probe.Timing]bool{}
	for _, p := range programs {
		c.timings[p.Timing] = true
		c.obj.Timed = c.obj.Timed || p.Timing != probe.Untimed
	}
}

// beginMaps adds the maps of beginnings that programs refer to.
func (c *compiler) beginMaps() {
	room := uint32(max(defaultCalls, c.opt.MaxEntries))
	if c.timings[probe.ByTask] {
		c.obj.Spec.Maps[taskMap] = &ebpf.MapSpec{Name: taskMap, Type: ebpf.Hash, KeySize: 8, ValueSize: 8, MaxEntries: room}
	}
	for timing, frames := range frameMaps {
		if c.timings[timing] {
			c.obj.Spec.Maps[frames.name] = &ebpf.MapSpec{
				Name: frames.name, Type: ebpf.LRUHash, KeySize: uint32(frames.keySize), ValueSize: 8, MaxEntries: room + uint32(lruSpare*c.cpus),
			}
		}
	}
}

// frameMaps are the maps of beginnings by frame.
var frameMaps = map[probe.Timing]struct {
	name    string
	keySize int
}{
	probe.ByFrame:     {frameMap, 16},
	probe.ByUserFrame: {callMap, 24},
}

// stateWords is how many words the state map has.
func (c *compiler) stateWords() int {
	switch maps := len(c.obj.Maps); {
	case c.obj.ReadsUser:
		return object.FaultWord(maps) + 1
	case c.obj.Timed || c.obj.Sampled:
		return object.LostBeginWord(maps) + 1
	default:
		return maps + 2
	}
}

// countLost counts a call whose beginning was lost.
func (g *gen) countLost() { g.increment(object.LostBeginWord(len(g.script.Maps))) }

// companionCode generates a program that runs no clauses.
func (g *gen) companionCode() {
	switch {
	case g.program.Job == probe.ForgetTask:
		g.forgetTask()
	case g.program.Timing == probe.ByTask:
		g.program.FilterBegin(&g.Context, g.finish)
		g.noteTask()
	default:
		g.program.FilterBegin(&g.Context, g.finish)
		g.noteFrame()
	}
	g.Exit(g.finish, g.program.Attach.Result())
}

// noteTask notes that the current thread's call begins now.
func (g *gen) noteTask() {
	key, found := g.taskKey(), g.Label()
	began := g.Slot(8)
	g.Now()
	g.Store(began, asm.R0)
	g.argKey(taskMap, key)
	g.Call(asm.FnMapLookupElem)
	g.Jump(asm.JNE, asm.R0, 0, found)
	g.insertBegin(taskMap, key, began)
	g.Jump(asm.JEq, asm.R0, 0, g.finish)
	g.countLost()
	g.Goto(g.finish)
	g.Bind(found)
	g.Load(asm.R1, began)
	g.Store(emit.Mem{Reg: asm.R0, Size: 8}, asm.R1)
}

// taskKey is the key of the current thread.
func (g *gen) taskKey() emit.Mem {
	g.Call(asm.FnGetCurrentTask)
	return g.Spill()
}

// noteFrame notes that the function whose frame this is begins now. A beginning
// that the map refuses is counted at the return.
func (g *gen) noteFrame() {
	key, began := g.frameKey(false), g.Slot(8)
	g.Now()
	g.Store(began, asm.R0)
	g.insertBegin(frameMaps[g.program.Timing].name, key, began)
}

func (g *gen) frameKey(returning bool) emit.Mem {
	key := g.Slot(frameMaps[g.program.Timing].keySize)
	if g.program.Timing == probe.ByUserFrame {
		g.Call(asm.FnGetCurrentTask)
		g.Store(key.Word(2), asm.R0)
	}
	g.Frame(returning)
	g.Store(key.Word(0), asm.R0)
	g.SiteOfFrame()
	g.Store(key.Word(1), asm.R0)
	return key
}

// argKey prepares a call for a key of a map.
func (g *gen) argKey(name string, key emit.Mem) {
	g.Address(asm.R2, key)
	g.MapPtr(asm.R1, name)
}

func (g *gen) insertBegin(name string, key, began emit.Mem) {
	g.Address(asm.R3, began)
	g.Emit(asm.Mov.Imm(asm.R4, bpfAny))
	g.argKey(name, key)
	g.Call(asm.FnMapUpdateElem)
}

// forgetTask forgets the task that is freed, the only argument of the tracepoint.
func (g *gen) forgetTask() {
	g.Load(asm.R0, emit.Mem{Reg: asm.R6, Size: 8})
	key := g.Spill()
	g.argKey(taskMap, key)
	g.Call(asm.FnMapDeleteElem)
}

// beginSession is the beginning of a session's program: where the call begins it
// notes the time and goes to end.
func (g *gen) beginSession(end string) {
	session, _ := g.kernel.Session()
	returns := g.Label()
	g.Emit(asm.Mov.Reg(asm.R1, asm.R6), session.IsReturn())
	g.Jump(asm.JNE, asm.R0, 0, returns)
	g.Emit(asm.Mov.Reg(asm.R1, asm.R6), session.Word())
	word := g.Spill()
	g.Call(asm.FnKtimeGetNs)
	g.Load(asm.R1, word)
	g.Store(emit.Mem{Reg: asm.R1, Size: 8}, asm.R0)
	g.Free(word)
	g.Goto(end)
	g.Bind(returns)
}

// prepareElapsed makes room for when the call began, for all clauses.
func (g *gen) prepareElapsed() {
	if g.program.Timing == probe.Untimed {
		return
	}
	g.Began = g.Slot(8)
	g.Zero(g.Began)
}

// findBegin finds out when the call began, unless a clause before has, and goes to
// skip if that was not seen.
func (g *gen) findBegin(skip string) {
	have := g.Label()
	g.Load(asm.R0, g.Began)
	g.Jump(asm.JNE, asm.R0, 0, have)
	g.Scoped(func() {
		switch g.program.Timing {
		case probe.BySession:
			session, _ := g.kernel.Session()
			g.Emit(asm.Mov.Reg(asm.R1, asm.R6), session.Word())
			g.takeWord(skip)
		case probe.ByTask:
			g.argKey(taskMap, g.taskKey())
			g.Call(asm.FnMapLookupElem)
			g.Jump(asm.JEq, asm.R0, 0, skip)
			g.takeWord(skip)
		case probe.ByFrame, probe.ByUserFrame:
			g.takeFrame(frameMaps[g.program.Timing].name, skip)
		}
	})
	g.Bind(have)
}

// takeWord takes the time at the address in R0, and leaves 0 there.
func (g *gen) takeWord(skip string) {
	word := emit.Mem{Reg: asm.R0, Size: 8}
	g.Load(asm.R2, word)
	g.Jump(asm.JEq, asm.R2, 0, skip)
	g.Store(g.Began, asm.R2)
	g.Zero(word)
}

// takeFrame takes the time of the frame out of its map.
func (g *gen) takeFrame(name, skip string) {
	key, found := g.frameKey(true), g.Label()
	g.argKey(name, key)
	g.Call(asm.FnMapLookupElem)
	g.Jump(asm.JNE, asm.R0, 0, found)
	g.countLost()
	g.Goto(skip)
	g.Bind(found)
	g.Load(asm.R1, emit.Mem{Reg: asm.R0, Size: 8})
	g.Store(g.Began, asm.R1)
	g.argKey(name, key)
	g.Call(asm.FnMapDeleteElem)
}
