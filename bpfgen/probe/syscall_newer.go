package probe

import (
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// System calls that are newer than the table
//
// Of a call that came after this program, the kernel tells the name (its
// tracepoint, its function) and the process the number, and nobody both. So a
// glob that matches the number gets it at the tracepoint of all calls, as sys_N;
// and a call by its name, or a glob that matches no such number, is had at its
// own tracepoint, whose record has the same things at the same offsets.

// matchCalls returns the calls of this kernel that match a pattern, and those
// that it may have: a number can stand for a name, too.
func matchCalls(k *kernel.Kernel, pattern string) []kernel.Syscall {
	if n, is := callNumber(pattern); is {
		if call, named := k.Arch().Syscall(n); named {
			return presentCalls(k, []kernel.Syscall{call})
		}
	}
	return append(presentCalls(k, k.Arch().MatchSyscalls(pattern)), k.Arch().UnnamedSyscalls(pattern)...)
}

// callNumber is the number that a pattern is, as the kernel writes it: +0 and 00
// are none.
func callNumber(pattern string) (n int, is bool) {
	n, err := strconv.Atoi(pattern)
	return n, err == nil && strconv.Itoa(n) == pattern
}

// presentCalls leaves out what this kernel is built without: it sees such
// numbers arrive, and refuses them. Where there are tracepoints of calls, each
// call has one; functions exist also of some that only 32-bit processes have.
func presentCalls(k *kernel.Kernel, calls []kernel.Syscall) []kernel.Syscall {
	names := k.Memo(presentKey{}, func() any {
		names, _ := k.Tracepoints("syscalls", "sys_enter_*") // none if they cannot be listed
		return names
	}).([]string)
	present := func(c kernel.Syscall) bool {
		_, ok := slices.BinarySearch(names, syscallEnter.each+c.Wrapper)
		return ok
	}
	if len(names) == 0 {
		present = func(c kernel.Syscall) bool { _, ok := k.SyscallFunction(c); return ok }
	}
	return slices.DeleteFunc(calls, func(c kernel.Syscall) bool { return !present(c) })
}

// A presentKey is what the tracepoints of system calls are kept under.
type presentKey struct{}

// unnumberedCalls returns the calls that match a pattern and of which the kernel
// has a tracepoint, but this program no number.
func unnumberedCalls(k *kernel.Kernel, pattern string) []kernel.Syscall {
	names, err := k.Tracepoints("syscalls", "sys_enter_"+pattern)
	if err != nil {
		return nil
	}
	var calls []kernel.Syscall
	for _, name := range names {
		name = strings.TrimPrefix(name, syscallEnter.each)
		if _, known := k.Arch().SyscallNumber(name); !known {
			calls = append(calls, kernel.Syscall{Number: -1, Name: name, Wrapper: name})
		}
	}
	return calls
}

// atOwnTracepoint makes s one attachment to the tracepoint of a single call, whose
// record has no more arguments than the call.
func (s *Scope) atOwnTracepoint(call *declared) *Scope {
	kind, c := s.syscallKind(), call.calls[0]
	s.attach, s.many = object.AttachTracepoint, ""
	s.add(tracepointNamed(kind.each+c.Wrapper), "sys_"+c.Name, kernel.IsGlob(s.spec.Target))
	s.vars = syscallVars(call, kind, func(c *Context) {
		c.Emit(asm.LoadMem(asm.R0, asm.R6, recordNumber, asm.Word)) // what follows it is undefined
	})
	if call.fields != nil {
		missing := argRows[min(len(call.fields.Names()), callArgs):callArgs]
		s.vars = slices.DeleteFunc(s.vars, func(v *Var) bool {
			return slices.ContainsFunc(missing, func(row *plylang.Func) bool { return row.Name == v.Name })
		})
	}
	s.why = "the tracepoint of its own, because its number came after this program"
	return s
}

func noSyscall(k *kernel.Kernel, pattern string) error {
	if kernel.IsGlob(pattern) {
		return missingf("no system call of this kernel matches sys_%s%s", pattern, bareChoice(pattern))
	}
	if hint := callsTracepoint(k, pattern); hint != "" {
		return missingf("there is no system call %q: %s", pattern, hint)
	}
	if n, is := callNumber(pattern); is {
		if name, named := k.Arch().SyscallName(n); named {
			return missingf("this kernel is built without the system call %s, which is %s", pattern, name)
		}
	}
	if _, known := k.Arch().SyscallNumber(pattern); known {
		return missingf("this kernel is built without the system call %s", pattern)
	}
	var names []string
	for _, c := range k.Arch().MatchSyscalls("*") {
		names = append(names, c.Name, c.Wrapper)
	}
	return missingf("there is no system call %q on %s%s%s", pattern, k.Arch().Machine, bareChoice(pattern), plylang.DidYouMean(pattern, names))
}

// callsTracepoint says what to write for a name that is a tracepoint's of a system
// call; "" for others.
func callsTracepoint(k *kernel.Kernel, pattern string) string {
	for prefix, provider := range map[string]string{"enter_": "kprobe", "exit_": "kretprobe"} {
		name, ok := strings.CutPrefix(pattern, prefix)
		if _, known := k.Arch().SyscallNumber(name); ok && known {
			return "write " + provider + ":sys_" + name + ", or tracepoint:syscalls/sys_" + pattern
		}
	}
	return ""
}

// bareChoice says how one of several is written, for a target with the "|" of a
// regular expression.
func bareChoice(target string) string {
	if !strings.Contains(target, "|") || strings.Contains(target, "@(") || strings.Contains(target, "!(") {
		return ""
	}
	return "; one of several is written @(a|b), as in vfs_@(read|write)"
}
