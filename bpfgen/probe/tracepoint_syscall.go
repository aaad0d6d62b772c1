package probe

import (
	"strings"

	"ply-exporter/bpfgen/kernel"
)

// Tracepoints of system calls
//
// Detaching from a tracepoint takes 70 ms, from all of syscalls/sys_enter_* 25
// seconds, and from Linux 7 on a thread that is preempted in one makes all
// others on its CPU miss theirs. Their records are those of
// raw_syscalls/sys_enter, with the same things at the same offsets, and they are
// made by it: they are one program there, which looks at the number.

// callOf returns the system call that a tracepoint is of, and the tracepoint
// of all calls.
func callOf(k *kernel.Kernel, name string) (call kernel.Syscall, kind syscallKind, ok bool) {
	for _, kind := range []syscallKind{syscallEnter, syscallExit} {
		if wrapper, is := strings.CutPrefix(name, kind.each); is {
			if number, known := k.Arch().SyscallNumber(wrapper); known {
				call, ok = k.Arch().Syscall(number)
				return call, kind, ok
			}
		}
	}
	return kernel.Syscall{}, syscallKind{}, false
}

// bundleCalls makes s, of tracepoints of system calls, all entering or all
// leaving, one at the tracepoint of all calls.
func bundleCalls(r *Resolver, s *Scope, events []*event) *Scope {
	kind := events[0].kind
	calls := make([]kernel.Syscall, len(events))
	for i, e := range events {
		calls[i] = e.call
	}
	var names []string
	if s.wants("probe") {
		names = callTracepoints(r.kernel, kind)
	}
	s.vars = []*Var{newFields(dataRow, events[0].fields, kind.field, copyField)}
	if kind.exit {
		s.vars = append(s.vars, elapsedVar())
	}
	return (&rawCalls{kind, names, calls, false}).at(r, s)
}

// callTracepoints lists the probe names of all calls' tracepoints of a kind, by
// number.
func callTracepoints(k *kernel.Kernel, kind syscallKind) []string {
	names := make([]string, 0, 512)
	for _, c := range k.Arch().MatchSyscalls("*") {
		for len(names) <= c.Number {
			names = append(names, "")
		}
		names[c.Number] = tracepointProvider.Name + ":" + kind.each + c.Wrapper
	}
	return names
}
