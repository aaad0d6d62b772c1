package probe

import (
	"strings"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
)

// Whose task it is
//
// pid, comm, cgroup and their kin are those of the task that runs when an event
// fires. Some events are about another task, or about none: an interrupt comes in
// whichever task it finds.

// A Bystander is a task that runs when events fire that are about something else.
type Bystander struct {
	Task  string // "the task that …"
	About string // fields of the event that name the task it is about; "" when there are none

	// Begins is of the names of those fields.
	Begins []string

	// IDsOnly says that the task it is about has everything else in common, as far
	// as it matters.
	IDsOnly bool

	// Stores says that a table by the bystander is a mistake too. Elsewhere it
	// may be a note for the end of what the same task is kept from.
	Stores bool

	events []string // globs of category/event
}

const interrupted = "whichever task was interrupted, or of the idle task"

// bystanders is the table.
var bystanders = []*Bystander{
	{
		Task: "the task that leaves the CPU, which may be the idle task", About: "data->prev_pid and data->next_pid",
		Begins: []string{"prev_", "next_"},
		events: []string{"sched/sched_switch"},
	},
	{
		Task: "the task that wakes the other, or of one that was interrupted", About: "data->pid and data->comm",
		Begins: []string{"pid", "comm"}, Stores: true,
		events: []string{"sched/sched_waking", "sched/sched_wakeup", "sched/sched_wakeup_new"},
	},
	{
		Task: "the task that acts on the other, or of one that was interrupted", About: "data->pid and data->comm",
		Begins: []string{"pid", "comm"}, Stores: true,
		events: []string{
			"sched/sched_migrate_task", "sched/sched_stat_blocked", "sched/sched_stat_iowait", "sched/sched_stat_sleep", "sched/sched_stat_wait",
			"sched/sched_pi_setprio", "sched/sched_process_free",
		},
	},
	{
		Task: "the sender, or of a task that was interrupted", About: "data->pid and data->comm",
		Begins: []string{"pid", "comm"}, Stores: true,
		events: []string{"signal/signal_generate"},
	},
	{
		Task: "the parent", About: "data->child_pid", Begins: []string{"child_"}, IDsOnly: true, Stores: true,
		events: []string{"sched/sched_process_fork"},
	},
	{
		Task: "the parent", About: "data->pid", Begins: []string{"pid", "comm"}, IDsOnly: true, Stores: true,
		events: []string{"task/task_newtask"},
	},
	{
		Task: interrupted,
		events: []string{
			"irq/irq_handler_entry", "irq/irq_handler_exit", "irq/softirq_entry", "irq/softirq_exit", "irq/softirq_raise",
			"irq/tasklet_entry", "irq/tasklet_exit", "irq_vectors/*", "nmi/nmi_handler",
			"timer/hrtimer_expire_entry", "timer/hrtimer_expire_exit", "timer/timer_expire_entry", "timer/timer_expire_exit",
		},
	},
	{
		Task: "whichever task the completion interrupted, or of the idle task", Stores: true,
		events: []string{
			"block/block_rq_complete", "block/block_rq_error", "block/block_bio_complete", "nvme/nvme_complete_rq", "scsi/scsi_dispatch_cmd_done",
			"mmc/mmc_request_done",
		},
	},
	{
		Task: "whichever task a packet or a timer interrupted, if it is not the task that sends or receives",
		events: []string{
			"napi/napi_poll", "net/netif_receive_skb*", "net/netif_rx*", "net/napi_gro_*", "net/net_dev_queue", "net/net_dev_start_xmit",
			"net/net_dev_xmit", "skb/kfree_skb", "skb/consume_skb", "sock/inet_sock_set_state",
			"tcp/tcp_destroy_sock", "tcp/tcp_probe", "tcp/tcp_receive_reset", "tcp/tcp_retransmit_skb", "tcp/tcp_retransmit_synack",
			"tcp/tcp_send_reset", "udp/udp_fail_queue_rcv_skb",
		},
	},
	{
		Task: "the kernel thread that does the work, not of who asked for it",
		events: []string{
			"workqueue/workqueue_execute_start", "workqueue/workqueue_execute_end",
			"writeback/writeback_start", "writeback/writeback_written", "writeback/writeback_exec",
		},
	},
	{
		Task: "the task that needed memory, of the same cgroup if a limit is the reason", About: "data->pid",
		Begins: []string{"pid", "comm"}, IDsOnly: true,
		events: []string{"oom/mark_victim"},
	},
	{Task: "the idle task, always", events: []string{"power/cpu_idle"}},
}

// atInterval is the bystander of a timer on one CPU. Of profile the task that
// runs is what is asked for.
var atInterval = &Bystander{Task: interrupted}

// Bystander returns what runs at the sites of the scope when that is no matter of
// course, and the probe where it does.
func (s *Scope) Bystander() (b *Bystander, at string) {
	for _, site := range s.sites {
		if s.provider == intervalProvider {
			return atInterval, site.name
		}
		if b := bystanderAt(site.Site); b != nil {
			return b, site.name
		}
	}
	return nil, ""
}

func bystanderAt(at object.Site) *Bystander {
	for _, b := range bystanders {
		for _, pattern := range b.events {
			if fires(at, pattern) {
				return b
			}
		}
	}
	return nil
}

// fires says whether a site is a tracepoint of the pattern. A raw one has no
// category.
func fires(at object.Site, pattern string) bool {
	switch at := at.(type) {
	case object.Tracepoint:
		return kernel.Compile(pattern).Match(at.String())
	case object.RawTracepoint:
		_, event, _ := strings.Cut(pattern, "/")
		return event != "*" && kernel.Compile(event).Match(at.Event)
	}
	return false
}
