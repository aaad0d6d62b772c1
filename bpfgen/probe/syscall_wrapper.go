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

// System calls through the kernel's functions for them. Such a function is a
// wrapper that gets the caller's registers and takes the arguments from there;
// old ones (SyS_read) get the arguments. The attach cookie is the site's id,
// which has the call's number in it.

// useWrappers says whether the functions are to be probed.
func useWrappers(r *Resolver) bool {
	return r.plain && r.kernel.Has(kernel.Kprobe) || !hasTracepoint(r.kernel, "raw_syscalls", "sys_enter")
}

func wrapperScopes(r *Resolver, s *Scope, calls []kernel.Syscall) ([]*Scope, error) {
	if _, err := r.kernel.Tracing(); err != nil && !r.kernel.Has(kernel.Kprobe) {
		return nil, missingf("%s", err)
	}
	if !r.kernel.Has(kernel.Kprobe) {
		return nil, missingf("this kernel has neither tracepoints of system calls (CONFIG_FTRACE_SYSCALLS) nor kprobes (CONFIG_KPROBES)")
	}
	if !slices.ContainsFunc(calls, func(c kernel.Syscall) bool { return !c.Unnamed }) {
		return nil, missingf("the function of system call %s is not known: leave out --attach=plain", calls[0].Name)
	}
	var out []*Scope
	for _, group := range byDeclaration(r, s, calls) {
		one := *s
		if one.atWrappers(r, group) {
			out = append(out, &one)
		}
	}
	if len(out) == 0 {
		return nil, missingf("this kernel does not name the functions of its system calls (no /proc/kallsyms)")
	}
	return out, nil
}

// atWrappers puts s to the functions of calls, and says whether there are any.
func (s *Scope) atWrappers(r *Resolver, group *declared) bool {
	glob := kernel.IsGlob(s.spec.Target)
	direct := false
	for _, c := range group.calls {
		symbol, ok := r.kernel.SyscallFunction(c)
		if !ok {
			continue
		}
		direct = direct || strings.HasPrefix(symbol, "sys_") || strings.HasPrefix(symbol, "SyS_")
		s.add(object.Function{Symbol: symbol}, "sys_"+c.Name, glob)
	}
	if r.plain || !r.kernel.Has(kernel.KprobeMulti) {
		s.many = ""
	}
	if s.wants("func", "caller") {
		s.tells = []kernel.Feature{kernel.Cookie}
	}
	s.bundle = wrapperCalls(callNames(r.kernel.Arch().MatchSyscalls("*"), s.provider.Name))
	s.vars = s.wrapperVars(group, direct)
	s.why = fmt.Sprintf("the functions of %s", plural(len(s.sites), "system call"))
	return len(s.sites) > 0
}

// wrapperCalls is the bundle of a scope with a site for each system call: the
// names of all calls by number, which the ids of sites index.
type wrapperCalls []string

func (w wrapperCalls) names() []string { return w }

func (w wrapperCalls) fired(c *Context) { c.siteID() }

func (w wrapperCalls) filter(c *Context, skip string) { nativeOnly(c, skip) }

func (w wrapperCalls) without(_, _ *Scope) *Scope { return nil }

func (w wrapperCalls) why([]bundle) string { return "" }

// wrapperVars are the variables at the function of a system call; direct says
// that it gets the arguments themselves.
func (s *Scope) wrapperVars(group *declared, direct bool) []*Var {
	number := func(c *Context) {
		c.Site()
		c.Emit(asm.Sub.Imm(asm.R0, int32(c.Base)))
	}
	vars := []*Var{newVar(funcRow, addressType(plylang.DisplayFunc), number)}
	if s.provider.returns {
		return append(vars, elapsedVar(), newVar(retvalRow, plylang.S64, func(c *Context) {
			loadRegister(c, c.Kernel.Arch().Return)
		}))
	}
	load := loadCallersArg
	if direct {
		load = loadArg
	}
	vars = append(vars, group.argVars(load)...)
	return append(vars, newVar(callerRow, addressType(plylang.DisplayFunc), number))
}

// loadCallersArg leaves argument i of a system call in R0: the wrapper's
// argument points to the registers of the caller.
func loadCallersArg(c *Context, i int) {
	arch := c.Kernel.Arch()
	slot := c.Slot(8)
	loadArg(c, 0)
	c.Emit(asm.Mov.Reg(asm.R3, asm.R0),
		asm.Add.Imm(asm.R3, int32(arch.Registers[arch.SyscallArgs[i]].Offset)))
	c.ProbeRead(slot, false)
	c.Load(asm.R0, slot)
	c.Free(slot)
}
