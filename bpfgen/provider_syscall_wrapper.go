package bpfgen

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// System calls through the kernel's functions for them. Such a function is a
// wrapper that gets the caller's registers and takes the arguments from there;
// old ones (SyS_read) get the arguments. The attach cookie is the place's id,
// which has the call's number in it.

// useWrappers says whether the functions are to be probed.
func useWrappers(e *env) bool {
	return e.opt.PlainAttach && e.kernel.Has(kernel.Kprobe) || !hasTracepoint(e.kernel, "raw_syscalls", "sys_enter")
}

func wrapperScopes(e *env, s *scope, calls []kernel.Syscall) ([]*scope, error) {
	if _, err := e.kernel.Tracing(); err != nil && !e.kernel.Has(kernel.Kprobe) {
		return nil, missingf("%s", err)
	}
	if !e.kernel.Has(kernel.Kprobe) {
		return nil, missingf("this kernel has neither tracepoints of system calls (CONFIG_FTRACE_SYSCALLS) nor kprobes (CONFIG_KPROBES)")
	}
	glob := kernel.IsGlob(s.spec.Target)
	direct := false
	for _, c := range calls {
		symbol, ok := e.kernel.SyscallFunction(c)
		if !ok {
			continue
		}
		direct = direct || strings.HasPrefix(symbol, "sys_") || strings.HasPrefix(symbol, "SyS_")
		s.addPlace(object.Place{Target: symbol, Glob: glob}, "sys_"+c.Name)
	}
	if len(s.places) == 0 {
		return nil, missingf("this kernel does not name the functions of its system calls (no /proc/kallsyms)")
	}
	if e.opt.PlainAttach || !e.kernel.Has(kernel.KprobeMulti) {
		s.multi = nil
	}
	s.filter = nativeOnly
	s.vars = s.wrapperVars(direct)
	s.split = len(s.places) > 1 && s.wants("func", "probefunc", "caller") && !e.kernel.Has(kernel.Cookie)
	s.why = fmt.Sprintf("the functions of %s", plural(len(s.places), "system call"))
	return []*scope{s}, nil
}

// wrapperVars are the variables at the function of a system call; direct says
// that it gets the arguments themselves.
func (s *scope) wrapperVars(direct bool) []*builtin {
	number := func(g *gen, _ []plylang.Expr) {
		s.emitPlaceID(g)
		g.Emit(asm.Sub.Imm(asm.R0, int32(s.base)))
	}
	vars := []*builtin{funcVar(number)}
	if s.attach == object.AttachKretprobe {
		return append(vars, retvalVar(plylang.S64, func(g *gen, _ []plylang.Expr) {
			loadRegister(g, g.kernel.Arch().Return)
		}))
	}
	for i := range 6 {
		vars = append(vars, argVar(i, userArg, func(g *gen, _ []plylang.Expr) {
			if direct {
				loadArg(g, i)
				return
			}
			loadCallersArg(g, i)
		}))
	}
	return append(vars, callerVar(number, plylang.ShowFunc))
}

// loadCallersArg leaves argument i of a system call in R0: the wrapper's
// argument points to the registers of the caller.
func loadCallersArg(g *gen, i int) {
	arch := g.kernel.Arch()
	slot := g.Slot(8)
	loadArg(g, 0)
	g.Emit(asm.Mov.Reg(asm.R3, asm.R0),
		asm.Add.Imm(asm.R3, int32(arch.Registers[arch.SyscallArgs[i]].Offset)))
	g.ProbeRead(slot, false)
	g.Load(asm.R0, slot)
	g.Free(slot)
}
