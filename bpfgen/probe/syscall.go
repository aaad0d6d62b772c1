package probe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// System calls
//
// kprobe:SyS_X, kprobe:sys_X and their kretprobes mean "system call X". All of
// a script are one program at raw_syscalls/sys_enter, or sys_exit: it is
// attached and gone in no time however many calls a glob names, works on
// kernels without kprobes, and sees the call's own arguments. The program
// looks at the number first, and at whether the call is a native one second:
// numbers mean something else to a 32-bit process. A number without a name may
// be a newer call and is one here; see syscall_newer.go. It is a raw tracepoint's
// program where that skips nothing, otherwise one with a record; see
// syscall_event.go.
//
// Where PlainAttach asks for it, or the kernel lacks the tracepoints, the
// functions behind the calls are probed instead; see syscall_wrapper.go.

// A syscallKind is entering or leaving.
type syscallKind struct {
	tracepoint string // of all calls
	each       string // what the names of the tracepoints of single calls begin with
	exit       bool
}

var (
	syscallEnter = syscallKind{"raw_syscalls/sys_enter", "syscalls/sys_enter_", false}
	syscallExit  = syscallKind{"raw_syscalls/sys_exit", "syscalls/sys_exit_", true}
)

// syscallScopes turns s into system calls when its target names some. It
// returns nothing when the target is a function.
func syscallScopes(r *Resolver, s *Scope) ([]*Scope, error) {
	pattern, ok := cutSyscall(s.spec.Target)
	if !ok {
		return nil, nil
	}
	calls := matchCalls(r.kernel, pattern)
	var newer []kernel.Syscall
	if !slices.ContainsFunc(calls, func(c kernel.Syscall) bool { return c.Unnamed }) {
		newer = unnumberedCalls(r.kernel, pattern)
	}
	if len(calls)+len(newer) == 0 {
		if isFunction(r.kernel, s.spec.Target) {
			return nil, nil
		}
		return nil, noSyscall(r.kernel, pattern)
	}
	return scopesOf(r, s, calls, newer)
}

// scopesOf puts s to calls, and to newer ones of which the number is not known.
func scopesOf(r *Resolver, s *Scope, calls, newer []kernel.Syscall) ([]*Scope, error) {
	var out []*Scope
	err := undeclared(r, s, slices.Concat(calls, newer))
	if err != nil {
		return nil, err
	}
	if s.provider.returns {
		if calls, err = returning(calls); err != nil {
			return nil, err
		}
	}
	if useWrappers(r) && len(calls) > 0 {
		if out, err = wrapperScopes(r, s, calls); err != nil {
			return nil, err
		}
		calls = nil
	}
	for _, group := range byDeclaration(r, s, calls) {
		one := *s
		out = append(out, one.atRawSyscalls(r, group))
	}
	for _, c := range newer {
		one := *s
		out = append(out, one.atOwnTracepoint(declarationOf(r, s, c)))
	}
	return out, nil
}

// callPrefixes are what names of system calls begin with.
var callPrefixes = []string{"SyS_", "sys_"}

// cutSyscall returns the call's name, or glob, in SyS_X and sys_X.
func cutSyscall(target string) (pattern string, ok bool) {
	for _, prefix := range callPrefixes {
		if pattern, ok = strings.CutPrefix(target, prefix); ok {
			break
		}
	}
	if t, err := parseFunction(target); err != nil || !t.wholeFunction() {
		return "", false
	}
	return pattern, ok && pattern != ""
}

// noReturn says why the calls that never come back do not.
var noReturn = map[string]string{
	"exit":         "it ends the thread",
	"exit_group":   "it ends the process",
	"rt_sigreturn": "it resumes what the signal interrupted",
}

// returning leaves out the calls that never return.
func returning(calls []kernel.Syscall) ([]kernel.Syscall, error) {
	var out []kernel.Syscall
	for _, c := range calls {
		if !c.NoReturn {
			out = append(out, c)
		}
	}
	if len(out) == 0 && len(calls) > 0 {
		name := calls[0].Name
		return nil, fmt.Errorf("system call %s does not return: %s; use kprobe:sys_%s", name, noReturn[name], name)
	}
	return out, nil
}

// callNames lists the canonical probe names of calls by number, "" where there is
// no call.
func callNames(calls []kernel.Syscall, provider string) []string {
	var names []string
	for _, c := range calls {
		for len(names) <= c.Number {
			names = append(names, "")
		}
		names[c.Number] = provider + ":sys_" + c.Name
	}
	return names
}

// atRawSyscalls makes s one attachment to the tracepoint of all system calls.
func (s *Scope) atRawSyscalls(r *Resolver, calls *declared) *Scope {
	kind := s.syscallKind()
	var names []string
	if s.wants("probe") {
		arch := r.kernel.Arch()
		names = callNames(append(arch.MatchSyscalls("*"), arch.UnnamedSyscalls("*")...), s.provider.Name)
	}
	s.vars = syscallVars(calls, kind, kind.number)
	boundNumbers(s.vars, calls.calls)
	return (&rawCalls{kind, names, calls.calls, kind.exit}).at(r, s)
}

// boundNumbers tells the variables that are the call's number that the filter lets
// no others through.
func boundNumbers(vars []*Var, calls []kernel.Syscall) {
	for _, v := range vars {
		if v.Name != funcRow.Name && v.Name != callerRow.Name {
			continue
		}
		for _, c := range calls {
			v.Bound = max(v.Bound, c.Number+1)
		}
	}
}

// syscallKind is what kprobe and kretprobe of a call ask for.
func (s *Scope) syscallKind() syscallKind {
	if s.provider.returns {
		return syscallExit
	}
	return syscallEnter
}

// syscallVars are the variables of calls: their own arguments or their result;
// number leaves the call's number in R0.
func syscallVars(calls *declared, kind syscallKind, number func(*Context)) []*Var {
	vars := []*Var{newVar(funcRow, addressType(plylang.DisplayFunc), number)}
	if kind.exit {
		return append(vars, elapsedVar(), newVar(retvalRow, plylang.S64, func(c *Context) { loadResult(c, asm.R0) }))
	}
	vars = append(vars, calls.argVars(loadCallArg)...)
	vars = append(vars, newVar(callerRow, addressType(plylang.DisplayFunc), number))
	if calls.fields != nil {
		vars = append(vars, newFields(argsRow, calls.fields, kind.field, copyField))
	}
	return vars
}
