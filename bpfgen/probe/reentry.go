package probe

import (
	"slices"
	"strings"

	"ply-exporter/bpfgen/kernel"
)

// Programs inside themselves
//
// Before Linux 6.1 nothing keeps a program at a raw tracepoint from running
// inside itself: an event that the program raises starts it again before it has
// ended, and so on until the stack of the kernel overflows. No script may do
// that. There such events are attached through perf only, which runs no program
// while another one runs on the CPU.

// A reentry is events that a program can raise while it runs, or as it ends, or
// that interrupt it where it must not be, and how. Categories and events are
// globs.
type reentry struct{ category, event, how string }

const (
	byFault     = "reading memory raises page faults, and what handles them"
	byLock      = "updating a map takes a lock"
	byRCU       = "the end of a program can end an RCU critical section"
	byInterrupt = "output makes the CPU interrupt itself"
	byMessage   = "the kernel reports what a program does"
	byNMI       = "it comes while a program holds the lock of a map"
	byUnknown   = "this kernel does not tell what the tracepoint is about"
)

// reentries names whole categories where kernels have added events to them, or
// other architectures have more of them. It errs on the safe side: through perf
// the events can be counted all the same.
var reentries = []reentry{
	{"exceptions", "*", byFault},
	{"vsyscall", "*", byFault},
	{"context_tracking", "*", byFault}, // at each exception
	{"preemptirq", "*", byFault},       // locks and helpers, too
	{"mmap_lock", "*", byFault},
	{"xen", "*", byFault}, // guests that handle faults by hypercalls

	{"lock", "*", byLock},

	{"rcu", "*", byRCU},
	{"irq", "softirq_raise", byRCU}, // in an interrupt: RCU has work left

	{"irq_vectors", "irq_work_*", byInterrupt},
	{"ipi", "*", byInterrupt},
	{"hyperv", "*", byInterrupt},
	{"msr", "*", byInterrupt}, // registers of the interrupt controller

	{"bpf_trace", "*", byMessage},
	{"printk", "*", byMessage},
	{"error_report", "*", byMessage},

	{"nmi", "*", byNMI},
	{"mce", "*", byNMI},
	{"osnoise", "nmi_noise", byNMI},
}

// reenters says how a program at the raw tracepoint category/event could run
// inside itself on k; "" when it cannot.
func reenters(k *kernel.Kernel, event string) string {
	if k.AtLeast(6, 1) {
		return ""
	}
	category, name, _ := strings.Cut(event, "/")
	for _, r := range reentries {
		if kernel.Compile(r.category).Match(category) && kernel.Compile(r.event).Match(name) {
			return r.how
		}
	}
	return ""
}

// rawReenters is reenters for an event without its category. An event of which
// nothing is known could be any.
func rawReenters(k *kernel.Kernel, event string) string {
	if k.AtLeast(6, 1) {
		return ""
	}
	found, err := k.Tracepoints("*", event)
	if err != nil || len(found) == 0 {
		return byUnknown
	}
	for _, name := range found {
		if how := reenters(k, name); how != "" {
			return how
		}
	}
	return ""
}

// withoutReentries leaves out the events at which a program could run inside
// itself.
func withoutReentries(k *kernel.Kernel, events []string) []string {
	return slices.DeleteFunc(events, func(e string) bool { return rawReenters(k, e) != "" })
}
