package bpfgen

import (
	"strings"

	"ply-exporter/bpfgen/kernel"
)

// Tracepoints of system calls
//
// Detaching from a tracepoint takes 70 ms, from all of syscalls/sys_enter_* 25
// seconds. Their records are those of raw_syscalls/sys_enter, with the same
// things at the same places, and they are made by it: many of them are one
// program there, which looks at the number.

// manyCalls is from how many system calls on raw_syscalls is the better way: a
// program there runs, shortly, for every other call too.
const manyCalls = 3

// directions are the two kinds of tracepoints of a system call, and where many
// of them are had at once.
var directions = []struct{ prefix, raw string }{
	{"syscalls/sys_enter_", syscallEnter.tracepoint},
	{"syscalls/sys_exit_", syscallExit.tracepoint},
}

// callOf returns the system call that a tracepoint is of, and the tracepoint
// of all calls.
func callOf(k *kernel.Kernel, name string) (call kernel.Syscall, raw string, ok bool) {
	for _, d := range directions {
		if wrapper, is := strings.CutPrefix(name, d.prefix); is {
			if number, known := k.Arch().SyscallNumber(wrapper); known {
				call, ok = k.Arch().Syscall(number)
				return call, d.raw, ok
			}
		}
	}
	return kernel.Syscall{}, "", false
}

// bundleCalls makes a scope of many tracepoints of system calls, all entering
// or all leaving, one at raw_syscalls.
func (s *scope) bundleCalls(k *kernel.Kernel) {
	if len(s.places) < manyCalls {
		return
	}
	var calls []kernel.Syscall
	raw := ""
	for _, place := range s.places {
		call, of, ok := callOf(k, place.Target)
		if !ok || raw != "" && of != raw {
			return
		}
		calls, raw = append(calls, call), of
	}
	s.ids = callTracepoints(k, s.places[0].Target)
	s.atRawSyscalls(raw, calls, filterCalls(calls, false))
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
