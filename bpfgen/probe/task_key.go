package probe

import (
	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Tasks that are keys
//
// Programs at raw tracepoints of the scheduler get the tasks that an event is about.
// Where the kernel checks programs against the tracepoint's declaration, such an
// argument is a task to it, as the current one is, and what belongs to the task can be
// kept with it.

// A TaskKey is a task as a key names it.
type TaskKey struct {
	Arg    int  // the argument of the raw tracepoint that it is; CurrentTask
	Number bool // the key is the task's number; otherwise its address
}

// CurrentTask is the task that runs on the CPU.
const CurrentTask = -1

// TaskKey says which task a key names in a clause of the program.
func (p *Program) TaskKey(k *kernel.Kernel, x plylang.Expr) (key TaskKey, ok bool) {
	if cast, is := x.(*plylang.Cast); is && cast.Type().Scalar() && cast.X.Type().Scalar() && cast.Type().Size == cast.X.Type().Size {
		return p.TaskKey(k, cast.X)
	}
	if IsCurrentTask(x) {
		return TaskKey{Arg: CurrentTask}, true
	}
	v, member := variableOf(x)
	if v == nil || v.Task == nil {
		return key, false
	}
	key, ok = v.Task(member)
	return key, ok && p.typable(k) && isTask(ctype.TracepointArgs(k, p.rawEvent()), key.Arg)
}

// IsCurrentTask says whether an expression is curtask.
func IsCurrentTask(x plylang.Expr) bool {
	name, ok := x.(*plylang.Name)
	return ok && name.Local == nil && name.Func != nil && name.Func.Name == "curtask"
}

// variableOf returns the variable of the probe that an expression is, or a member of
// what it is.
func variableOf(x plylang.Expr) (v *Var, member string) {
	if m, is := x.(*plylang.Member); is {
		x, member = m.X, m.Name
	}
	if name, is := x.(*plylang.Name); is && name.Local == nil && name.Func != nil {
		v, _ = name.Func.Impl.(*Var)
	}
	return v, member
}

// rawEvent is the one raw tracepoint that the program is attached to; "": there is none.
func (p *Program) rawEvent() string {
	if p.Attach != object.AttachRawTracepoint || len(p.Points) != 1 {
		return ""
	}
	at, _ := p.Points[0].Site.(object.RawTracepoint)
	return at.Event
}

// typable says whether the program can be checked against the tracepoint's declaration.
func (p *Program) typable(k *kernel.Kernel) bool {
	event := p.rawEvent()
	return event != "" && ctype.CheckedTracepoint(k, event)
}

// Typify has the kernel check the program against the declaration of its tracepoint.
func (p *Program) Typify() {
	p.Spec = ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: p.rawEvent()}
}

// Typed says whether the kernel does so.
func (p *Program) Typed() bool { return p.Spec.AttachType == ebpf.AttachTraceRawTp }

// isTask says whether an argument is the address of a task.
func isTask(args []*plylang.Type, i int) bool { return isStruct(args, i, "task_struct") }

// isStruct says whether an argument is the address of a struct of that name.
func isStruct(args []*plylang.Type, i int, name string) bool {
	return i < len(args) && args[i].Kind == plylang.Pointer && args[i].Elem.Struct != nil && args[i].Elem.Struct.Name() == "struct "+name
}

// taskField is the key that a field of a tracepoint is.
func (s fieldSources) taskField(name string) (TaskKey, bool) {
	source, ok := s[name]
	return TaskKey{Arg: source.arg, Number: true}, ok && source.member == "pid"
}

// taskArg is the key that an argument by name is.
func (r *rawFields) taskArg(name string) (TaskKey, bool) {
	f, ok := r.Member(name)
	return TaskKey{Arg: f.Offset}, ok
}
