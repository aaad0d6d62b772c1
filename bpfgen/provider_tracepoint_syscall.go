package bpfgen

import (
	"strings"

	"ply-exporter/bpfgen/kernel"
)

// Tracepoints of system calls
//
// Detaching from a tracepoint takes 70 ms, from all of syscalls/sys_enter_* 25
// seconds, and from Linux 7 on a thread that is preempted in one makes all
// others on its CPU miss theirs. Their records are those of
// raw_syscalls/sys_enter, with the same things at the same places, and they are
// made by it: they are one program there, which looks at the number.

// directions are the two kinds of tracepoints of a system call, and where all
// calls are had at once.
var directions = []struct {
	prefix string
	kind   syscallKind
}{
	{"syscalls/sys_enter_", syscallEnter},
	{"syscalls/sys_exit_", syscallExit},
}

// callOf returns the system call that a tracepoint is of, and the tracepoint
// of all calls.
func callOf(k *kernel.Kernel, name string) (call kernel.Syscall, kind syscallKind, ok bool) {
	for _, d := range directions {
		if wrapper, is := strings.CutPrefix(name, d.prefix); is {
			if number, known := k.Arch().SyscallNumber(wrapper); known {
				call, ok = k.Arch().Syscall(number)
				return call, d.kind, ok
			}
		}
	}
	return kernel.Syscall{}, syscallKind{}, false
}

// bundleCalls makes a scope of tracepoints of system calls, all entering or all
// leaving, one at raw_syscalls.
func (s *scope) bundleCalls(e *env) {
	var calls []kernel.Syscall
	var kind syscallKind
	for i, place := range s.places {
		call, of, ok := callOf(e.kernel, place.Target)
		if !ok || i > 0 && of != kind {
			return
		}
		calls, kind = append(calls, call), of
	}
	s.vars = []*builtin{dataVar(s.fields, kind.field, copyField)}
	s.ids = callTracepoints(e.kernel, s.places[0].Target)
	s.atRawSyscalls(e, kind, calls, false)
}

// callTracepoints lists the probe names of all calls' tracepoints of the kind
// of one of them, by number.
func callTracepoints(k *kernel.Kernel, like string) []string {
	kind := directions[0].prefix
	if !strings.HasPrefix(like, kind) {
		kind = directions[1].prefix
	}
	names := make([]string, 0, 512)
	for _, c := range k.Arch().MatchSyscalls("*") {
		for len(names) <= c.Number {
			names = append(names, "")
		}
		names[c.Number] = tracepointProvider.name + ":" + kind + c.Wrapper
	}
	return names
}
