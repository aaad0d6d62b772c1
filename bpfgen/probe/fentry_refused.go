package probe

import (
	"errors"
	"fmt"
	"strings"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// Functions without fentry
//
// The kernel says what it refuses when a program is loaded or attached, in words about
// its types, and one of many programs that it refuses is as dear as all. So what is
// known before is said here.

// traceable returns what programs at a function see, or why there can be none.
func traceable(k *kernel.Kernel, p *Provider, f kernel.Function) (*traced, error) {
	declared, err := ctype.Declared(k, f)
	reason := ""
	switch {
	case f.Shared:
		reason = "several functions have its name, and the types do not say which is which"
	case strings.Contains(f.Name, "."):
		reason = "it is a copy that the compiler made, whose arguments the types do not declare"
	case errors.Is(err, plylang.ErrMissing):
		reason = "the kernel's types do not declare it"
	case err != nil:
		reason = err.Error()
	case !k.Patchable(f):
		reason = "it has no place for a call at its beginning (notrace, or inlined)"
	case neverTraced[f.Name]:
		reason = "programs themselves begin or end with it"
	case p.returns && neverReturns[f.Name]:
		return nil, neverReturning(f.Name, fentryProvider)
	default:
		reason = undeclarable(k, declared)
	}
	if reason == "" && !k.AtLeast(5, 12) && guards(f.Name) {
		reason = "before Linux 5.12 a program there could run inside itself, without end"
	}
	if reason != "" {
		return nil, missingf("no program can be at %s of %s: %s: write %s:%s", p.Name, f.Name, reason, p.shared(), f.Name)
	}
	return newTraced(f, declared), nil
}

// neverTraced are the functions that all kernels refuse.
var neverTraced = nameTable("migrate_disable migrate_enable rcu_read_unlock_strict preempt_count_add preempt_count_sub __rcu_read_lock __rcu_read_unlock")

// neverReturns are functions that end a thread, or the machine. Kernels before 6.16 let
// a program wait there for ever, and keep its memory.
var neverReturns = nameTable("do_exit do_group_exit make_task_dead kthread_exit kthread_complete_and_exit __module_put_and_kthread_exit " +
	"__x64_sys_exit __x64_sys_exit_group __ia32_sys_exit __ia32_sys_exit_group __arm64_sys_exit __arm64_sys_exit_group " +
	"__riscv_sys_exit __riscv_sys_exit_group panic nmi_panic machine_real_restart")

// neverReturning is the error for one of them, which does begin.
func neverReturning(name string, begins *Provider) error {
	return missingf("%s never returns: write %s:%s", name, begins.Name, name)
}

func nameTable(names string) map[string]bool {
	table := map[string]bool{}
	for _, name := range strings.Fields(names) {
		table[name] = true
	}
	return table
}

// guards says whether what keeps a program from being inside itself too often may call
// a function: looking a value of an array up.
func guards(name string) bool {
	return strings.Contains(name, "bpf") || strings.HasSuffix(name, "array_map_lookup_elem") || strings.Contains(name, "rcu_read_")
}

// undeclarable says what of a declaration the kernel cannot pass to programs.
func undeclarable(k *kernel.Kernel, f *ctype.Func) string {
	words := 0
	for i, p := range f.Params {
		switch {
		case p.Words == 0:
			return "it takes arguments of any number"
		case p.Words > 2:
			return fmt.Sprintf("argument %d has more than 16 bytes", i)
		case p.Type.Struct != nil && !p.Type.Scalar() && !k.AtLeast(6, 1):
			return fmt.Sprintf("argument %d is a struct, which programs get from Linux 6.1 on", i)
		}
		words += p.Words
	}
	limit := argWords[k.Arch().Name]
	switch {
	case f.ReturnsStruct():
		return "it returns a struct"
	case words > maxWords, words > limit.before && !k.AtLeast(limit.since[0], limit.since[1]):
		return fmt.Sprintf("it has more arguments (%d) than this kernel passes to programs", words)
	}
	return ""
}

// maxWords is how many words of arguments programs get, and argWords how many they got
// before a version of Linux, those in registers, by architecture.
const maxWords = 12

var argWords = map[string]struct {
	before int
	since  [2]int
}{
	"amd64":   {6, [2]int{6, 6}},
	"arm64":   {8, [2]int{6, 17}},
	"riscv64": {8, [2]int{6, 11}},
}
