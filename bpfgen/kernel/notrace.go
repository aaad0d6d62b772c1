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
	name := symbols.nameBytes(symbol)
	base, _, _ := bytes.Cut(name, []byte("."))
	if traceable.has(name) || traceable.has(base) {
		return false
	}
	for alias := range symbols.at(symbols.addrs[symbol]) {
		if traceable.has(symbols.nameBytes(alias)) {
			return false
		}
	}
	return true
}

// ListsTraceable says whether the list of traceable functions can be read.
func (k *Kernel) ListsTraceable() bool { return k.kept.Load().traceable() != nil }

func (k *Kernel) refusesNotrace() bool {
	symbols, err := k.kept.Load().kallsyms()
	return err == nil && symbols.Has(notraceCheck)
}
