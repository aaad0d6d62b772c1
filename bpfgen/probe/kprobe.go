package probe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Functions of the kernel
//
// A target is a function, a function with an offset into it, an address, or a
// glob; a module's name and a colon may stand before the function. A function
// that the compiler has made a variant of (.constprop.0, .isra.0) is found by
// its plain name. Names of system calls (SyS_read, sys_read) mean the system
// call, see syscall.go.

var kprobeProvider = newProvider("kprobe", append(slices.Clone(argRows), argsRow, funcRow, callerRow, regsRow, regRow)...)

var kretprobeProvider = newProvider("kretprobe", retvalRow, elapsedRow, funcRow, regsRow, regRow)

func init() {
	kretprobeProvider.returns, kretprobeProvider.again = true, true
	kprobeProvider.scopes, kprobeProvider.list = kprobeScopes, listFunctions(kprobeProvider)
	kretprobeProvider.scopes, kretprobeProvider.list = kretprobeScopes, listFunctions(kretprobeProvider)
}

func kprobeScopes(r *Resolver, spec *plylang.Spec, uses plylang.Uses) ([]*Scope, error) {
	s := newScope(kprobeProvider, spec, uses, object.AttachKprobe)
	s.many = object.AttachKprobeMulti
	return functionScopes(r, s)
}

func kretprobeScopes(r *Resolver, spec *plylang.Spec, uses plylang.Uses) ([]*Scope, error) {
	s := newScope(kretprobeProvider, spec, uses, object.AttachKretprobe)
	s.many = object.AttachKretprobeMulti
	return functionScopes(r, s)
}

// functionScopes resolves the target of s, which has no sites yet.
func functionScopes(r *Resolver, s *Scope) ([]*Scope, error) {
	if scopes, err := syscallScopes(r, s); scopes != nil || err != nil {
		return scopes, err
	}
	target, err := parseFunction(s.spec.Target)
	if err != nil {
		return nil, err
	}
	if s.attach == object.AttachKretprobe && !target.wholeFunction() {
		return nil, fmt.Errorf("kretprobe fires where a function returns: leave out the offset or address in %q", s.spec.Target)
	}
	if !r.kernel.Has(kernel.Kprobe) {
		return nil, missingf("this kernel has no kprobes (CONFIG_KPROBES is off), so its functions cannot be traced; %s%s", insteadOfFunctions, sameNamed(r.kernel, s.provider.Name, target))
	}
	target, s.moved = current(r.kernel, target)
	if err := s.resolve(r, target); err != nil {
		return nil, err
	}
	s.note(r.kernel, target.name)
	if r.plain || !target.wholeFunction() || !r.kernel.Has(kernel.KprobeMulti) {
		s.many = ""
	}
	return byPrototype(r, s, target.wholeFunction()), nil
}

const insteadOfFunctions = "system calls and tracepoints work, e.g. kprobe:sys_read or tracepoint:sched/sched_switch"

// A functionTarget is what stands behind "kprobe:".
type functionTarget struct {
	module, name string // name may be a glob
	offset       uint64
	addr         uint64 // instead of a name
}

func (t functionTarget) wholeFunction() bool { return t.offset == 0 && t.addr == 0 }

// parseFunction parses function, function+offset, module:function and 0x….
func parseFunction(target string) (t functionTarget, err error) {
	if strings.HasPrefix(target, "0x") {
		if t.addr, err = strconv.ParseUint(target[2:], 16, 64); err != nil || t.addr == 0 {
			return t, fmt.Errorf("%q is no address: write up to 16 hexadecimal digits after 0x", target)
		}
		return t, nil
	}
	t.name = target
	if module, name, ok := strings.Cut(target, ":"); ok {
		t.module, t.name = module, name
	}
	if i := strings.LastIndexByte(t.name, '+'); i >= 0 && !strings.HasPrefix(t.name[i:], "+(") {
		if t.offset, err = strconv.ParseUint(t.name[i+1:], 0, 32); err != nil {
			return t, fmt.Errorf("the offset in %q is no number: write function+4 or function+0x1f", target)
		}
		t.name = t.name[:i]
	}
	if t.name == "" {
		return t, fmt.Errorf("a function's name is missing in %q: write kprobe:vfs_read", target)
	}
	if t.offset != 0 && kernel.IsGlob(t.name) {
		return t, fmt.Errorf("an offset goes with a single function, not with the glob %q", t.name)
	}
	return t, nil
}

// resolve finds the sites of s.
func (s *Scope) resolve(r *Resolver, t functionTarget) error {
	if err := inText(r.kernel, t.addr); err != nil {
		return err
	}
	if t.addr != 0 {
		s.add(object.Function{Addr: t.addr}, fmt.Sprintf("%#x", t.addr), false)
		return nil
	}
	found, err := r.kernel.Functions(t.pattern())
	if err == nil && len(found) == 0 {
		err = noFunction(r.kernel, s.provider.Name, t)
	}
	if err != nil {
		return err
	}
	several := kernel.IsGlob(t.name) || len(found) > 1
	for _, f := range found {
		if s.provider.returns && neverReturns[f.Name] {
			continue
		}
		at := object.Function{Symbol: f.Name, Module: f.Module, Offset: t.offset, Callers: callers(r, s, len(found))}
		if f.Shared {
			at.Addr = f.Addr
		}
		name := f.Name
		if t.offset != 0 {
			name = fmt.Sprintf("%s+%d", name, t.offset)
		}
		if err := inside(r.kernel, f, t.offset); err != nil {
			return err
		}
		s.add(at, name, several)
	}
	if len(s.sites) == 0 {
		return neverReturning(found[0].Name, kprobeProvider)
	}
	return nil
}

// inText finds fault with an address at which there is no function.
func inText(k *kernel.Kernel, addr uint64) error {
	symbols, err := k.Symbols()
	if addr == 0 || err != nil {
		return nil
	}
	if _, _, _, ok := symbols.Lookup(addr); !ok {
		return missingf("no function of this kernel is at %#x: take the address from /proc/kallsyms, which changes at every boot", addr)
	}
	return nil
}

// inside finds fault with an offset behind the end of the function: it would
// probe another one.
func inside(k *kernel.Kernel, f kernel.Function, offset uint64) error {
	symbols, err := k.Symbols()
	if offset == 0 || err != nil {
		return nil
	}
	name, _, at, ok := symbols.Lookup(f.Addr + offset)
	if ok && at == offset {
		return nil
	}
	if !ok {
		name = "no other"
	}
	return missingf("%s+%d is behind the end of %s, in %s", f.Name, offset, f.Name, strings.TrimPrefix(name, "__pfx_"))
}

// pattern is how package kernel spells a function or glob.
func (t functionTarget) pattern() string {
	if t.module == "" {
		return t.name
	}
	return t.module + ":" + t.name
}

// noFunction is about a function that is not there, or that cannot be probed.
func noFunction(k *kernel.Kernel, provider string, t functionTarget) error {
	symbols, err := k.Symbols()
	switch {
	case err == nil && t.module != "" && t.module != "vmlinux" && !kernel.IsGlob(t.module) && !symbols.HasModule(t.module):
		return missingf("no module %q is loaded: run \"modprobe %s\" first; what is built into the kernel has no module's name before it", t.module, t.module)
	case kernel.IsGlob(t.name):
		return missingf("no function of this kernel matches %s%s", t.pattern(), bareChoice(t.name))
	case err != nil:
		return err
	case symbols.Has(t.name) && t.module == "":
		return missingf("the kernel allows no probe in its function %s%s", t.name, gone(k, t.name))
	}
	if hint := bareChoice(t.name); hint != "" {
		return missingf("this kernel has no function %s%s", t.pattern(), hint)
	}
	return missingf("this kernel has no function %s%s", t.pattern(), instead(k, provider, symbols, t))
}

// instead says what there is in place of a function that is not there.
func instead(k *kernel.Kernel, provider string, symbols *kernel.Symbols, t functionTarget) string {
	if hint := gone(k, t.name); hint != "" {
		return hint
	}
	if hint := sameNamed(k, provider, t); hint != "" {
		return hint
	}
	if parts := symbols.Parts(t.name); len(parts) > 0 {
		return ": the compiler has inlined it and left " + strings.Join(parts, " and ") + ", which not every call reaches"
	}
	return plylang.DidYouMeanLike(t.name, k.Probeable(symbols))
}

// isFunction says whether a target is a function of this kernel.
func isFunction(k *kernel.Kernel, target string) bool {
	found, err := k.Functions(target)
	return err == nil && len(found) > 0 && !kernel.IsGlob(target)
}

// functionAddress returns the address of a function, 0 when it is not known.
func functionAddress(k *kernel.Kernel, name string) uint64 {
	symbols, err := k.Symbols()
	if err != nil {
		return 0
	}
	addr, _ := symbols.Addr(name)
	return addr
}
