package probe

import (
	"fmt"
	"strings"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// SystemCall returns the name of the one system call at whose entry, or return, a
// specification fires, in whichever spelling. ok is false of globs and of all that
// is no system call.
func SystemCall(spec *plylang.Spec) (name string, returns, ok bool) {
	name, returns, ok = SystemCalls(spec)
	return name, returns, ok && !kernel.IsGlob(name)
}

// SystemCalls is SystemCall for the system calls that match a glob, too.
func SystemCalls(spec *plylang.Spec) (pattern string, returns, ok bool) {
	provider, _ := findProvider(spec.Provider)
	switch provider {
	case kprobeProvider, kretprobeProvider:
		pattern, ok = cutSyscall(spec.Target)
		returns = provider == kretprobeProvider
	case tracepointProvider:
		category, event, _ := cutTracepoint(spec.Target)
		if category == "raw_syscalls" {
			return "*", event == "sys_exit", event == "sys_exit" || event == "sys_enter"
		}
		if pattern, ok = strings.CutPrefix(event, "sys_enter_"); !ok {
			pattern, returns = strings.CutPrefix(event, "sys_exit_")
			ok = returns
		}
		ok = ok && category == "syscalls"
	}
	return pattern, returns, ok
}

// sameNamed is a hint where a function's name is that of a system call; "" of
// other names.
func sameNamed(k *kernel.Kernel, provider string, t functionTarget) string {
	if t.module != "" || !t.wholeFunction() || kernel.IsGlob(t.name) || len(k.Arch().MatchSyscalls(t.name)) == 0 {
		return ""
	}
	return fmt.Sprintf("; the system call is %s:SyS_%s", provider, t.name)
}
