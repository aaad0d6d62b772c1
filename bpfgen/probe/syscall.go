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
// numbers mean something else to a 32-bit process. It is a raw tracepoint's
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
	calls := presentCalls(r.kernel, r.kernel.Arch().MatchSyscalls(pattern))
	if len(calls) == 0 {
		if isFunction(r.kernel, s.spec.Target) {
			return nil, nil
		}
		return nil, noSyscall(r.kernel, pattern)
	}
	if s.provider.returns {
		var err error
		if calls, err = returning(calls); err != nil {
			return nil, err
		}
	}
	if useWrappers(r) {
		return wrapperScopes(r, s, calls)
	}
	var out []*Scope
	for _, group := range byDeclaration(r, s, calls) {
		one := *s
		out = append(out, one.atRawSyscalls(r, group))
	}
	return out, nil
}

// presentCalls leaves out what this kernel is built without: it sees such
// numbers arrive, and refuses them.
func presentCalls(k *kernel.Kernel, calls []kernel.Syscall) []kernel.Syscall {
	names, err := k.Tracepoints("syscalls", "sys_enter_*")
	present := func(c kernel.Syscall) bool {
		_, ok := slices.BinarySearch(names, "syscalls/sys_enter_"+c.Wrapper)
		return ok
	}
	if err != nil || len(names) == 0 {
		present = func(c kernel.Syscall) bool { _, ok := k.SyscallFunction(c); return ok }
	}
	return slices.DeleteFunc(calls, func(c kernel.Syscall) bool { return !present(c) })
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

func noSyscall(k *kernel.Kernel, pattern string) error {
	if kernel.IsGlob(pattern) {
		return missingf("no system call of this kernel matches sys_%s", pattern)
	}
	if _, known := k.Arch().SyscallNumber(pattern); known {
		return missingf("this kernel is built without the system call %s", pattern)
	}
	var names []string
	for _, c := range k.Arch().MatchSyscalls("*") {
		names = append(names, c.Name, c.Wrapper)
	}
	return missingf("there is no system call %q on %s%s", pattern, k.Arch().Machine, plylang.DidYouMean(pattern, names))
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
	if len(out) == 0 {
		name := calls[0].Name
		return nil, fmt.Errorf("system call %s does not return: %s; use kprobe:sys_%s", name, noReturn[name], name)
	}
	return out, nil
}

// callNames lists the canonical probe names by number, "" where there is no
// call.
func callNames(k *kernel.Kernel, provider string) []string {
	var names []string
	for _, c := range k.Arch().MatchSyscalls("*") {
		for len(names) <= c.Number {
			names = append(names, "")
		}
		names[c.Number] = provider + ":sys_" + c.Name
	}
	return names
}

// atRawSyscalls makes s one attachment to the tracepoint of all system calls.
func (s *Scope) atRawSyscalls(r *Resolver, calls *declared) *Scope {
	kind := syscallEnter
	if s.provider.returns {
		kind = syscallExit
	}
	var names []string
	if s.wants("probe") {
		names = callNames(r.kernel, s.provider.Name)
	}
	s.vars = syscallVars(calls, kind)
	return newRawCalls(kind, calls.calls, kind.exit, names).at(r, s)
}

// syscallVars are the variables of calls: their own arguments or their result.
func syscallVars(calls *declared, kind syscallKind) []*Var {
	vars := []*Var{newVar(funcRow, addressType(plylang.DisplayFunc), kind.number)}
	if kind.exit {
		return append(vars, newVar(retvalRow, plylang.S64, func(c *Context) { loadResult(c, asm.R0) }))
	}
	vars = append(vars, calls.argVars(loadCallArg)...)
	vars = append(vars, newVar(callerRow, addressType(plylang.DisplayFunc), kind.number))
	if calls.fields != nil {
		vars = append(vars, newFields(argsRow, calls.fields, kind.field, copyField))
	}
	return vars
}
