package kernel

import "bytes"

// Functions that cannot be traced
//
// What the source declares inline or notrace has no place for ftrace at its
// beginning, although the compiler may have made a function of it, and kernels
// refuse a probe there (EINVAL), unless CONFIG_KPROBE_EVENTS_ON_NOTRACE is set.
// The check is a function that only kernels with it have. A compiler's copy,
// name.isra.0, is allowed where either that or the function itself is traceable.

// notraceCheck is the kernel's function that refuses such probes.
const notraceCheck = "within_notrace_func"

// notrace says whether the kernel is known to refuse probes in a function. The
// list has one name of each address, which may be another one than this:
// __do_sys_getppid for __x64_sys_getppid, which takes no arguments either.
func (k *Kernel) notrace(symbols *Symbols, symbol int) bool {
	traceable := k.kept.Load().traceable()
	if traceable == nil || !k.kept.Load().refuses() {
		return false
	}
	return !traceable.hasOneOf(symbols, symbols.nameBytes(symbol), symbols.addrs[symbol])
}

// hasOneOf says whether the set has a function by its name, by that of which it is
// a copy, or by another one at its address.
func (n *nameSet) hasOneOf(symbols *Symbols, name []byte, addr uint64) bool {
	base, _, _ := bytes.Cut(name, []byte("."))
	if n.has(name) || n.has(base) {
		return true
	}
	for alias := range symbols.at(addr) {
		if n.has(symbols.nameBytes(alias)) {
			return true
		}
	}
	return false
}

// Patchable says whether the kernel can put a call at the beginning of a function,
// which takes a place for ftrace there, as far as it tells.
func (k *Kernel) Patchable(f Function) bool {
	symbols, err := k.kept.Load().kallsyms()
	traceable := k.kept.Load().traceable()
	return err != nil || traceable.hasOneOf(symbols, []byte(f.Name), f.Addr)
}

// ListsTraceable says whether the list of traceable functions can be read.
func (k *Kernel) ListsTraceable() bool { return k.kept.Load().traceable() != nil }

func (k *Kernel) refusesNotrace() bool {
	symbols, err := k.kept.Load().kallsyms()
	return err == nil && symbols.Has(notraceCheck)
}
