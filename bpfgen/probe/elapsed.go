package probe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// The time of a call
//
// elapsed is how long the very call took that returns now. A clause that asks for
// it makes the plan note when calls begin, once for all clauses of a program, in
// one of four ways:
//
//   - A kprobe session runs the program at both ends of a call, and the kernel
//     keeps a word for each call. It is had where returns are noticed by one link.
//   - Otherwise a second program notes the beginning of functions in an LRU map, by
//     where their frame is on the stack, at fexit that of what calls both programs:
//     no two calls have the same, nested ones and those of other threads included. It is attached first, so that a return
//     without a beginning is one that was lost, and is counted.
//   - Of a program's functions it does so in a map of its own, by the thread as well: the
//     stacks of processes have the same addresses. Where a child of fork returns, the
//     beginning is its parent's, and is not found.
//   - A second program notes the beginning of system calls in a map by thread,
//     which is in one system call at a time: a call that a signal interrupts has
//     returned before the handler makes another one, and begins again after it. The
//     word of a thread stays in the map until its task is freed, which a third
//     program notices. A return without a beginning is that of a call that was in
//     flight at the start, of a new child, or of one that seccomp refused.
//
// The key of a thread is the address of its task, not its id: execve gives its
// thread the id of the first one.

// A Timing is how a program learns when the calls began that its clauses ask
// about.
type Timing uint8

// The timings.
const (
	Untimed     Timing = iota // no clause asks
	BySession                 // the kernel keeps a word for each call
	ByFrame                   // in a map, by the function's frame
	ByUserFrame               // in a map, by the thread and the frame of a program's function
	ByTask                    // in a map, by the thread
)

// A Job is what a program does.
type Job uint8

// The jobs. Only programs that run clauses have any; the others serve those in
// Program.For.
const (
	RunClauses Job = iota
	NoteBegin      // of calls
	ForgetTask     // that is freed
)

var elapsedRow = variableRow("elapsed", "how long this very call took, a duration; a return of which the beginning was not seen does not run the clause")

// elapsedVar is the variable at the returns of a scope.
func elapsedVar() *Var {
	return newVar(elapsedRow, plylang.DurationT, func(c *Context) {
		c.Now()
		c.Load(asm.R1, c.Began)
		c.Emit(asm.Sub.Reg(asm.R0, asm.R1))
	})
}

// Timed says whether the clause asks how long the call took.
func (s *Scope) Timed() bool { return s.wants(elapsedRow.Name) }

// timed returns the clauses that ask how long the call took.
func (p *Program) timed() (clauses []*Clause) {
	for _, c := range p.Clauses {
		if c.Scope.Timed() {
			clauses = append(clauses, c)
		}
	}
	return clauses
}

// isReturn says whether a tracepoint is one at which system calls return.
func isReturn(event string) bool {
	return event == syscallExit.tracepoint || strings.HasPrefix(event, syscallExit.each)
}

// timeCalls plans what notes when the calls begin that prog sees return.
func (p *planner) timeCalls(prog *Program) {
	clauses := prog.timed()
	_, isFunction := prog.Points[0].Site.(object.Function)
	_, isUser := prog.Points[0].Site.(object.UserFunction)
	switch {
	case len(clauses) == 0:
		return
	case prog.Attach == object.AttachKprobeSession:
		prog.Timing = BySession
		return
	case isFunction:
		prog.Timing = ByFrame
	case isUser:
		prog.Timing = ByUserFrame
	default:
		prog.Timing = ByTask
		p.forgetTasks(clauses)
	}
	begin := p.companion(NoteBegin, beginKinds[prog.Attach], clauses)
	begin.Timing, begin.Why = prog.Timing, "where calls begin, for elapsed: "+noted[prog.Timing]
	for _, at := range prog.Points {
		begin.Points = append(begin.Points, beginOf(at))
	}
	begin.setTarget()
}

// noted says where the beginnings of calls are kept.
var noted = map[Timing]string{
	ByFrame:     "a map by the function's frame on the stack",
	ByUserFrame: "a map by thread and the function's frame on the stack",
	ByTask:      "a map by thread",
}

// beginKinds are the attach kinds of beginnings by those of returns.
var beginKinds = map[object.AttachKind]object.AttachKind{
	object.AttachFexit:          object.AttachFentry,
	object.AttachKretprobe:      object.AttachKprobe,
	object.AttachKretprobeMulti: object.AttachKprobeMulti,
	object.AttachUretprobe:      object.AttachUprobe,
	object.AttachUretprobeMulti: object.AttachUprobeMulti,
	object.AttachTracepoint:     object.AttachTracepoint,
	object.AttachRawTracepoint:  object.AttachRawTracepoint,
}

// beginOf is where the calls begin that return at a site.
func beginOf(at object.AttachPoint) object.AttachPoint {
	at.Covers = 0
	switch s := at.Site.(type) {
	case object.Function:
		s.Callers = 0
		at.Site = s
	case object.UserFunction: // the same
	case object.Tracepoint:
		s.Event = strings.Replace(s.Event, "sys_exit", "sys_enter", 1)
		at.Site = s
	case object.RawTracepoint:
		at.Site = object.RawTracepoint{Event: "sys_enter"}
	default:
		panic(fmt.Sprintf("probe: calls return at a %T", at.Site))
	}
	return at
}

// companion adds a program that serves clauses of another one. It stands for no
// probe of its own.
func (p *planner) companion(job Job, attach object.AttachKind, clauses []*Clause) *Program {
	prog := &Program{Job: job, For: clauses, Spec: attachKinds[attach].program}
	prog.Attach = attach
	prog.Name = programName(fmt.Sprintf("elapsed_%d", len(p.out.Programs)))
	for _, c := range clauses {
		prog.coverOf(c.Spec)
	}
	p.out.Programs = append(p.out.Programs, prog)
	return prog
}

// forgetTasks plans the program that notices that a task is freed, once.
func (p *planner) forgetTasks(clauses []*Clause) {
	if p.forgets {
		return
	}
	p.forgets = true
	prog := p.companion(ForgetTask, object.AttachRawTracepoint, clauses)
	prog.Points = []object.AttachPoint{{Site: object.RawTracepoint{Event: "sched_process_free"}}}
	prog.Why = "where a thread is freed: elapsed forgets it"
}

// First is the first clause that the program runs or serves.
func (p *Program) First() *Clause {
	if len(p.For) > 0 {
		return p.For[0]
	}
	return p.Clauses[0]
}

// FilterBegin goes to skip when what begins is no call that a clause asks about.
// A clause without a filter asks about all, and calls that do not return are
// nobody's, unless the clauses name nothing else: a seccomp filter can make them
// return.
func (p *Program) FilterBegin(c *Context, skip string) {
	var calls []kernel.Syscall
	for _, clause := range p.For {
		c.Scope = clause.Scope
		switch b := clause.Scope.bundle.(type) {
		case *rawCalls:
			calls = append(calls, b.calls...)
		case nil:
			return
		default: // at the functions of calls
			b.filter(c, skip)
			return
		}
	}
	calls = begun(c.Kernel.Arch(), calls)
	numbers := numbersOf(calls, func(s kernel.Syscall) bool { return !s.NoReturn })
	if len(numbers) == 0 {
		numbers = numbersOf(calls, func(kernel.Syscall) bool { return true })
	}
	syscallEnter.number(c)
	emitRanges(c, rangesOf(numbers), skip)
	nativeOnly(c, skip)
}

// begun are the calls that may return as these: an execveat that succeeds returns as
// execve on x86-64.
func begun(arch *kernel.Arch, calls []kernel.Syscall) []kernel.Syscall {
	if !slices.ContainsFunc(calls, func(c kernel.Syscall) bool { return c.Name == "execve" }) {
		return calls
	}
	return append(calls, arch.MatchSyscalls("execveat")...)
}

// Frame leaves in R0 where the frame of the traced function begins, at its
// beginning and at its return alike.
func (c *Context) Frame(returning bool) {
	if attachKinds[c.Attach].each {
		loadTraced(c)
		return
	}
	arch := c.Kernel.Arch()
	loadRegister(c, arch.Frame)
	if returning && arch.Link == "" {
		c.Emit(asm.Sub.Imm(asm.R0, 8)) // the return address is gone
	}
}

// SiteOfFrame leaves in R0 what tells functions apart that leave by jumping into
// each other and so have the same frame, as far as this kernel tells.
func (c *Context) SiteOfFrame() {
	if len(c.Points) > 1 && !c.Kernel.Has(kernel.Cookie) {
		c.Imm(asm.R0, int64(c.Points[0].ID))
		return
	}
	c.siteID()
}

// clockValue is the time of the event, which a program fetches once.
const clockValue = "clock"

// PrepareClock is for the beginning of a program that reads the clock in several
// places.
func (c *Context) PrepareClock() { c.Prepare(clockValue) }

// Now leaves the time of the event in R0.
func (c *Context) Now() {
	c.Prepared(clockValue, func() { c.Call(asm.FnKtimeGetNs) })
}
