package probe

import (
	"path"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
)

// In which context tracepoints fire
//
// It decides which of two ways of attaching misses events. A program attached
// through perf is skipped while another one runs on the CPU: it misses what fires
// in an interrupt of that program. A raw program is skipped only while it runs
// itself. Up to Linux 6.18 that is seldom the case, since nobody is preempted in a
// tracepoint; from 7.0 on a task can be, and then all others on its CPU are missed.
//
// The contexts are those of the records of an ftrace instance, on Linux 5.10 to
// 7.3, under a load of system calls, timers, signals, network and block I/O.

// A firing is the context in which a tracepoint fires.
type firing uint8

const (
	firesAnywhere   firing = iota // nobody has measured it
	firesAtomic                   // with interrupts or preemption off, in every record
	firesInTasks                  // where a task can be preempted, in every record
	firesInBoth                   // more often where a task can be preempted
	firesInSoftirqs               // in both, more often in softirqs
)

// firings is the table, by event. Where raw and perf both miss some on Linux 7,
// the larger part of the records decides: 40 to 98% of the first group of
// firesInBoth are preemptible, of firesInSoftirqs 0 to 60%.
var firings = firingTable(map[firing][]string{
	firesAtomic: {
		"cpu_idle", "rcu_utilization", "contention_begin", "page_fault_user", "tlb_flush",
		"hrtimer_expire_entry", "hrtimer_start", "local_timer_entry", "timer_expire_entry", "timer_start",
		"irq_handler_entry", "softirq_entry", "softirq_exit", "softirq_raise", "workqueue_queue_work",
		"sched_migrate_task", "sched_process_free", "sched_stat_runtime", "sched_switch",
		"sched_wakeup", "sched_wakeup_new", "sched_waking",
		"signal_deliver", "signal_generate", "writeback_dirty_folio",
		"kfree_skb", "napi_poll", "net_dev_queue", "netif_receive_skb", "netif_rx", "tcp_destroy_sock", "tcp_receive_reset",
	},
	firesInTasks: {
		"sys_enter", "sys_exit",
		"sched_process_exec", "sched_process_exit", "sched_process_fork", "sched_process_wait", "task_newtask",
		"block_bio_queue", "block_rq_issue", "mm_filemap_add_to_page_cache", "workqueue_execute_start",
	},
	firesInBoth: {
		"kmalloc", "kmem_cache_alloc", "mm_page_alloc", "inet_sock_set_state",
		"block_rq_complete", // the driver decides: virtio in a softirq, null_blk in the task
	},
	firesInSoftirqs: {"consume_skb", "kmem_cache_free"},
})

func firingTable(lists map[firing][]string) map[string]firing {
	table := map[string]firing{}
	for f, names := range lists {
		for _, name := range names {
			table[name] = f
		}
	}
	return table
}

// firingOf returns the context of an event, which may have its category before it.
func firingOf(event string) firing { return firings[path.Base(event)] }

// and is the context of two tracepoints together.
func (f firing) and(g firing) firing {
	switch {
	case f == g:
		return f
	case f == firesAnywhere || g == firesAnywhere:
		return firesAnywhere
	}
	return firesInBoth
}

// rawIsBetter says whether a clause that can do without an event's record misses
// fewest events at the raw tracepoint:
//
//	                 before 6.1   6.1 to 6.18   7.x
//	firesAtomic      raw          raw           raw
//	firesInTasks     raw          raw           perf
//	firesInBoth      raw          raw           perf
//	firesInSoftirqs  raw          raw           raw
//	firesAnywhere    perf         raw           perf
//
// Before 6.1 nothing keeps a program at a raw tracepoint from running inside
// itself: there only those of the table are raw, and of them none that a program
// can raise.
func rawIsBetter(r *Resolver, event string) bool {
	f := firingOf(event)
	switch {
	case r.plain:
		return false
	case !r.kernel.AtLeast(6, 1):
		return f != firesAnywhere && reenters(r.kernel, event) == ""
	case r.kernel.Has(kernel.RawTracepointsExact):
		return true
	}
	return f == firesAtomic || f == firesInSoftirqs
}

// firing is the context of all sites of a program at tracepoints.
func (p *Program) firing() firing {
	f := firingOf(eventAt(p.Points[0].Site))
	for _, at := range p.Points[1:] {
		f = f.and(firingOf(eventAt(at.Site)))
	}
	return f
}

// eventAt is the event of a site without its category; "" it is no tracepoint.
func eventAt(s object.Site) string {
	switch s := s.(type) {
	case object.Tracepoint:
		return s.Event
	case object.RawTracepoint:
		return s.Event
	}
	return ""
}

// whyPerf says what a program that is attached to tracepoints through perf misses.
func (p *planner) whyPerf(prog *Program) string {
	missed := "what fires while another program runs on its CPU is " + p.missed()
	switch prog.firing() {
	case firesInTasks:
		return "through perf: fires in tasks only, misses nothing"
	case firesInBoth, firesInSoftirqs:
		return "through perf: fires in tasks and in interrupts; " + missed
	}
	return "through perf: " + missed
}

// whyRaw says why a program is at a raw tracepoint in place of one with a record,
// and what it misses.
func (p *planner) whyRaw(prog *Program) string {
	misses := p.rawMisses(prog)
	switch f := prog.firing(); {
	case misses != "" && (f == firesInBoth || f == firesInSoftirqs):
		return "as a raw tracepoint, which fires in tasks and in interrupts: " + misses
	case misses != "":
		return "as a raw tracepoint: " + misses
	case f == firesAtomic && !p.kernel.Has(kernel.RawTracepointsExact):
		return "as a raw tracepoint, because nobody is preempted at it"
	}
	return "as a raw tracepoint, at which this kernel skips nothing"
}

// rawMisses says what a program at raw tracepoints misses; "" nothing.
func (p *planner) rawMisses(prog *Program) string {
	f := prog.firing()
	switch {
	case !p.kernel.AtLeast(6, 1):
		return ""
	case len(prog.Points) > 1:
		return "what fires at one while the program runs at another is " + p.missed()
	case f == firesAtomic:
		return ""
	case !p.kernel.Has(kernel.RawTracepointsExact):
		return "what fires while its program runs, or while a task is preempted in it, is " + p.missed()
	case f == firesInTasks:
		return ""
	}
	return "what fires while its program runs is " + p.missed()
}

// missed says whether this kernel tells of what it skips.
func (p *planner) missed() string {
	if p.kernel.Has(kernel.MissedCounts) {
		return "missed, and counted"
	}
	return "missed, and not counted by this kernel"
}
