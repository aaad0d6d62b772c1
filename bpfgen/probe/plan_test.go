package probe_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

// open returns a recorded kernel.
func open(t *testing.T, name string) *kernel.Kernel {
	t.Helper()
	k, err := kernel.Open(recorded.Files(name))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// build compiles a script for "run".
func build(k *kernel.Kernel, script string, opt bpfgen.Options) (*object.Object, error) {
	opt.Run = true
	return bpfgen.Build(&plylang.Source{Text: script}, k, opt, nil)
}

// planText is a line for each program: how, where, why, and after "|" the
// names of its sites when there are any that scripts can see.
func planText(o *object.Object) string {
	var lines []string
	for _, p := range o.Programs {
		var sites []string
		for _, at := range p.Points {
			sites = append(sites, pointText(at))
		}
		if n := len(sites); n > 4 {
			sites = append(sites[:3], fmt.Sprintf("and %d more", n-3))
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s", p.Attach, strings.Join(sites, " "), p.Why))
	}
	return strings.Join(lines, "\n")
}

func pointText(p object.AttachPoint) string {
	text := p.String()
	switch s := p.Site.(type) {
	case object.Function:
		text = s.Symbol
		if s.Offset != 0 {
			text += fmt.Sprintf("+%d", s.Offset)
		}
		if s.Addr != 0 {
			text += fmt.Sprintf("@%x", s.Addr)
		}
	case object.PerfEvent:
		text += fmt.Sprintf(" period=%d freq=%d cpus=%v", s.Period, s.Freq, s.CPUs)
		if s.Only {
			text += " only"
		}
	}
	if p.Covers > 0 {
		text += fmt.Sprintf("(%d)", p.Covers)
	}
	return text
}

// A program for each attach point is too much for a wide glob.
func TestTooManyPrograms(t *testing.T) {
	for _, row := range []struct{ kernel, script, want string }{
		{"5.10-amd64", `kprobe:* { @[probe] = count(); }`,
			"script:1:1: kprobe:* matches N attach points, and on this kernel only a program for each can tell which fired; 128 are allowed: " +
				"leave out probe and func, or name fewer, or run Linux 5.15 or later, where one program serves all"},
		{"7.3-amd64", `kprobe:* { @[probe] = count(); }`, ""},
		{"5.10-amd64", `kprobe:* { @ = count(); }`, ""},
		{"5.10-amd64", `tracepoint:sched/* { @[probe] = count(); }`, ""},
	} {
		_, err := build(open(t, row.kernel), row.script, bpfgen.Options{})
		got := ""
		if err != nil {
			got = regexp.MustCompile(`matches \d+`).ReplaceAllString(err.Error(), "matches N")
		}
		if got != row.want {
			t.Errorf("%s on %s: got:\n%s\nwant:\n%s", row.script, row.kernel, got, row.want)
		}
	}
}

// A script of very many raw tracepoints has a program for each whose context is
// known, and one for all others.
func TestManyRawTracepoints(t *testing.T) {
	o, err := build(open(t, "6.18-amd64"), `tracepoint:*/* { @ = count(); }`, bpfgen.Options{})
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	alone, shared := map[string]bool{}, 0
	for _, p := range o.Programs {
		switch {
		case p.Attach != object.AttachRawTracepoint:
		case len(p.Points) == 1:
			alone[p.Points[0].Site.String()] = true
		default:
			shared++
		}
	}
	for _, event := range []string{"sched_switch", "softirq_entry", "sys_enter", "block_rq_complete"} {
		if !alone[event] {
			t.Errorf("%s shares a program", event)
		}
	}
	if shared != 1 || alone["sched_swap_numa"] {
		t.Errorf("%d programs are shared; alone are %v", shared, alone)
	}
}

// What is attached, to where, and why.
func TestPlans(t *testing.T) {
	for _, row := range []struct {
		kernel string
		opt    bpfgen.Options
		script string
		want   string
	}{
		{
			kernel: "7.3-amd64",
			script: `fentry:vfs_@(read|write) { @ = count(); }`,
			want: `fentry vfs_read: a call in the function itself: what is called while its program runs, or while a task is preempted in it, is missed, and counted
fentry vfs_write: a call in the function itself: what is called while its program runs, or while a task is preempted in it, is missed, and counted`,
		},
		{
			kernel: "5.10-amd64",
			script: `fexit:vfs_read { @ = sum(elapsed); }`,
			want: `fentry vfs_read: where calls begin, for elapsed: a map by the function's frame on the stack
fexit vfs_read: a call in the function itself: this kernel skips nothing`,
		},
		{
			kernel: "6.18-amd64",
			script: `kprobe:SyS_read { @[func] = count(); }`,
			want:   `raw_tracepoint sys_enter: one attachment to raw_syscalls/sys_enter for 1 system call; as a raw tracepoint, at which this kernel skips nothing`,
		},
		{
			kernel: "6.18-amd64",
			script: `kprobe:SyS_* { $syscalls[func].count() }`,
			want:   `raw_tracepoint sys_enter(107): one attachment to raw_syscalls/sys_enter for 107 system calls; as a raw tracepoint, at which this kernel skips nothing`,
		},
		{
			kernel: "6.18-amd64",
			script: `kprobe:SyS_read { @r = count(); } kprobe:sys_write { @w = count(); } tracepoint:raw_syscalls/sys_enter { @ = count(); }`,
			want:   `raw_tracepoint sys_enter: one attachment to raw_syscalls/sys_enter for 2 system calls; as a raw tracepoint, at which this kernel skips nothing; 3 clauses in one program`,
		},
		{
			kernel: "6.18-amd64",
			script: `kretprobe:sys_* { @[retval < 0] = count(); }`,
			want:   `raw_tracepoint sys_exit(104): one attachment to raw_syscalls/sys_exit for 104 system calls; as a raw tracepoint, at which this kernel skips nothing`,
		},
		{
			kernel: "6.18-amd64",
			script: `tracepoint:sched/sched_s* { @[probe] = count(); }`,
			want: `raw_tracepoint sched_skip_cpuset_numa: as a raw tracepoint: what fires while its program runs is missed, and counted
raw_tracepoint sched_skip_vma_numa: as a raw tracepoint: what fires while its program runs is missed, and counted
raw_tracepoint sched_stat_runtime: as a raw tracepoint, at which this kernel skips nothing
raw_tracepoint sched_stick_numa: as a raw tracepoint: what fires while its program runs is missed, and counted
raw_tracepoint sched_swap_numa: as a raw tracepoint: what fires while its program runs is missed, and counted
raw_tracepoint sched_switch: as a raw tracepoint, at which this kernel skips nothing`,
		},
		{
			kernel: "5.10-amd64",
			script: `tracepoint:sched/sched_sw* { @[probe] = count(); }`,
			want: `tracepoint sched/sched_swap_numa: through perf: what fires while another program runs on its CPU is missed, and not counted by this kernel
raw_tracepoint sched_switch: as a raw tracepoint, at which this kernel skips nothing`,
		},
		{
			kernel: "5.10-amd64",
			script: `tracepoint:exceptions/page_fault_user { @ = count(); }`,
			want:   `tracepoint exceptions/page_fault_user: through perf: what fires while another program runs on its CPU is missed, and not counted by this kernel`,
		},
		{
			kernel: "6.18-amd64",
			script: `tracepoint:sched/sched_sw* { @ = count(); } tracepoint:sched/sched_switch { @b = count(); }`,
			want: `raw_tracepoint sched_swap_numa: as a raw tracepoint: what fires while its program runs is missed, and counted
raw_tracepoint sched_switch: as a raw tracepoint, at which this kernel skips nothing; 2 clauses in one program`,
		},
		{
			kernel: "6.18-amd64",
			script: `tracepoint:sched/sched_wakeup* { @[data->prio] = count(); }`,
			want: `raw_tracepoint sched_wakeup: as a raw tracepoint, at which this kernel skips nothing
raw_tracepoint sched_wakeup_new: as a raw tracepoint, at which this kernel skips nothing`,
		},
		{
			kernel: "6.18-amd64",
			script: `tracepoint:sched/sched_@(switch|wakeup) { @[data->common_type] = count(); }`,
			want: `raw_tracepoint sched_switch: as a raw tracepoint, at which this kernel skips nothing
raw_tracepoint sched_wakeup: as a raw tracepoint, at which this kernel skips nothing`,
		},
		{
			kernel: "6.18-amd64",
			script: `profile:99hz { @ = count(); } profile:1:99 { @b = count(); } interval:s:1 { @c = count(); }`,
			want: `perf_event 99hz period=0 freq=99 cpus=[0 1]: cpu-clock timer on 2 CPUs
perf_event 1:99hz period=0 freq=99 cpus=[1] only: cpu-clock timer on 1 CPU
perf_event 1s period=1000000000 freq=0 cpus=[0]: cpu-clock timer on one CPU`,
		},
		{
			kernel: "6.18-amd64",
			script: `BEGIN { @ = count(); } BEGIN { @b = count(); } END { @c = count(); }`,
			want: `begin BEGIN: runs once, before the other probes are attached; 2 clauses in one program
end END: runs once, after the other probes are gone`,
		},
		{
			kernel: "7.3-amd64",
			script: `kprobe:ip_rcv { @ = count(); }`,
			want:   `kprobe ip_rcv: through perf; what is called while another program runs on its CPU is missed, and counted`,
		},
		{
			kernel: "7.3-amd64",
			script: `kprobe:vfs_* { @[func] = count(); }`,
			want:   `kprobe_multi vfs_fadvise vfs_fallocate vfs_truncate and 76 more: one link for 79 functions; what is called while another program runs on its CPU is missed, and counted`,
		},
		{
			kernel: "7.3-amd64",
			opt:    bpfgen.Options{PlainAttach: true},
			script: `kprobe:vfs_* { @[func] = count(); }`,
			want:   `kprobe vfs_fadvise vfs_fallocate vfs_truncate and 76 more: one program for 79 attach points; what is called while another program runs on its CPU is missed, and counted`,
		},
		{
			kernel: "7.3-amd64",
			script: `kretprobe:vfs_* { @[func] = count(); }`,
			want:   `kretprobe_multi vfs_fadvise vfs_fallocate vfs_truncate and 76 more: one link for 79 functions; what is called while another program runs on its CPU is missed, and counted`,
		},
		{
			kernel: "7.3-amd64",
			script: `kretprobe:vfs_@(read|write|open) { @[retval] = count(); }`,
			want: `kretprobe_multi vfs_open: one link for 1 function; what is called while another program runs on its CPU is missed, and counted
kretprobe_multi vfs_read vfs_write: one link for 2 functions; what is called while another program runs on its CPU is missed, and counted`,
		},
		{
			kernel: "7.3-amd64",
			script: `kretprobe:vfs_read { @[retval] = count(); }`,
			want:   `kretprobe_multi vfs_read: one link for 1 function; what is called while another program runs on its CPU is missed, and counted`,
		},
		{
			kernel: "7.3-amd64",
			script: `kretprobe:vfs_read { @[reg("ax")] = count(); }`,
			want:   `kretprobe vfs_read: room for 1000 callers at a time; what is called while another program runs on its CPU is missed, and counted`,
		},
		{
			kernel: "7.3-amd64",
			opt:    bpfgen.Options{PlainAttach: true},
			script: `kretprobe:vfs_read { @[retval] = count(); }`,
			want:   `kretprobe vfs_read: through perf; what is called while another program runs on its CPU is missed, and counted`,
		},
		{
			kernel: "5.10-amd64",
			script: `kretprobe:vfs_@(read|write) { @[func] = count(); }`,
			want: `kretprobe vfs_read: a program for each attach point: this kernel cannot tell one program which of them fired; room for 1000 callers at a time; what is called while another program runs on its CPU is missed, and not counted by this kernel
kretprobe vfs_write: a program for each attach point: this kernel cannot tell one program which of them fired; room for 1000 callers at a time; what is called while another program runs on its CPU is missed, and not counted by this kernel`,
		},
		{
			kernel: "5.10-amd64",
			script: `kretprobe:* { @ = count(); }`,
			want:   `kretprobe pci_xen_swiotlb_init_late __x64_sys_arch_prctl irq_init_percpu_irqstack and 3500 more: one program for 3503 attach points; what is called while another program runs on its CPU is missed, and not counted by this kernel`,
		},
		{
			kernel: "5.10-amd64",
			script: `kretprobe:vfs_@(read|write) { @ = count(); }`,
			want:   `kretprobe vfs_read vfs_write: one program for 2 attach points; room for 1000 callers at a time; what is called while another program runs on its CPU is missed, and not counted by this kernel`,
		},
		{
			kernel: "7.3-amd64",
			script: `kprobe:vfs_* { @[func] = count(); } kprobe:vfs_read { @b = count(); }`,
			want: `kprobe_multi vfs_fadvise vfs_fallocate vfs_truncate and 75 more: one link for 78 functions; what is called while another program runs on its CPU is missed, and counted
kprobe vfs_read: 2 clauses in one program; what is called while another program runs on its CPU is missed, and counted`,
		},
		{
			kernel: "7.3-amd64",
			script: `kprobe:ip_rcv+4 { @ = count(); }`,
			want:   `kprobe ip_rcv+4: through perf; what is called while another program runs on its CPU is missed, and counted`,
		},
		{
			kernel: "5.10-amd64",
			script: `kprobe:0xffffffff812c79d4 { @ = count(); }`,
			want:   `kprobe @ffffffff812c79d4: through perf; what is called while another program runs on its CPU is missed, and not counted by this kernel`,
		},
		{
			kernel: "7.3-amd64",
			opt:    bpfgen.Options{PlainAttach: true},
			script: `kprobe:sys_read { @[func] = count(); }`,
			want:   `kprobe __x64_sys_read: the functions of 1 system call; what is called while another program runs on its CPU is missed, and counted`,
		},
		{
			kernel: "5.10-amd64",
			opt:    bpfgen.Options{PlainAttach: true},
			script: `kretprobe:sys_@(read|write) { @[func] = count(); }`,
			want: `kretprobe __x64_sys_read: the functions of 2 system calls; a program for each attach point: this kernel cannot tell one program which of them fired; what is called while another program runs on its CPU is missed, and not counted by this kernel
kretprobe __x64_sys_write: the functions of 2 system calls; a program for each attach point: this kernel cannot tell one program which of them fired; what is called while another program runs on its CPU is missed, and not counted by this kernel`,
		},
		{
			kernel: "6.12-arm64",
			script: `kprobe:SyS_read { @[func] = count(); }`,
			want:   `raw_tracepoint sys_enter: one attachment to raw_syscalls/sys_enter for 1 system call; as a raw tracepoint, at which this kernel skips nothing`,
		},
		{
			kernel: "6.12-arm64",
			script: `kprobe:vfs_@(read|write) { @[args->file] = count(); }`,
			want:   `kprobe vfs_read vfs_write: one program for 2 attach points; what is called while another program runs on its CPU is missed, and counted`,
		},
		{
			kernel: "6.18-amd64",
			opt:    bpfgen.Options{PlainAttach: true},
			script: `tracepoint:sched/sched_switch { @ = count(); }`,
			want:   `tracepoint sched/sched_switch: through perf: what fires while another program runs on its CPU is missed, and counted`,
		},
		{
			kernel: "7.3-amd64",
			script: `tracepoint:sched/sched_switch { @ = count(); }`,
			want:   `raw_tracepoint sched_switch: as a raw tracepoint, because nobody is preempted at it`,
		},
		{
			kernel: "7.3-amd64",
			script: `tracepoint:sched/sched_wakeup_new { @ = count(); }`,
			want:   `raw_tracepoint sched_wakeup_new: as a raw tracepoint, because nobody is preempted at it`,
		},
		{
			kernel: "7.3-amd64",
			script: `tracepoint:@(kmem|block|sched)/@(kmalloc|block_rq_issue|sched_stick_numa) { @[probe] = count(); }`,
			want:   `tracepoint block/block_rq_issue kmem/kmalloc sched/sched_stick_numa: through perf: what fires while another program runs on its CPU is missed, and counted; one program for 3 attach points`,
		},
		{
			kernel: "7.3-amd64",
			script: `tracepoint:kmem/kmalloc { @ = count(); } tracepoint:block/block_rq_issue { @b = count(); } tracepoint:raw_syscalls/sys_enter { @c = count(); }`,
			want: `tracepoint kmem/kmalloc: through perf: fires in tasks and in interrupts; what fires while another program runs on its CPU is missed, and counted
tracepoint block/block_rq_issue: through perf: fires in tasks only, misses nothing
tracepoint raw_syscalls/sys_enter: through perf: fires in tasks only, misses nothing`,
		},
		{
			kernel: "7.3-amd64",
			script: `tracepoint:@(kmem|block)/@(kmalloc|block_rq_issue) { @[data->common_pid] = count(); }`,
			want:   `tracepoint block/block_rq_issue kmem/kmalloc: through perf: fires in tasks and in interrupts; what fires while another program runs on its CPU is missed, and counted; one program for 2 attach points`,
		},
		{
			kernel: "7.3-amd64",
			script: `rawtracepoint:sys_enter { @ = count(); } rt:softirq_entry { @s = count(); }`,
			want: `raw_tracepoint sys_enter: the tracepoint itself, without a record; what fires while its program runs, or while a task is preempted in it, is missed, and counted
raw_tracepoint softirq_entry: the tracepoint itself, without a record`,
		},
		{
			kernel: "7.3-amd64",
			script: `kprobe:SyS_read { @ = count(); }`,
			want:   `tracepoint raw_syscalls/sys_enter: one attachment to raw_syscalls/sys_enter for 1 system call; through perf: fires in tasks only, misses nothing`,
		},
		{
			kernel: "6.18-amd64",
			script: `tracepoint:block/block_rq_complete { @ = count(); }`,
			want:   `raw_tracepoint block_rq_complete: as a raw tracepoint, which fires in tasks and in interrupts: what fires while its program runs is missed, and counted`,
		},
		{
			kernel: "5.10-amd64",
			script: `tracepoint:block/block_rq_complete { @ = count(); }`,
			want:   `raw_tracepoint block_rq_complete: as a raw tracepoint, at which this kernel skips nothing`,
		},
		{
			kernel: "6.18-amd64",
			script: `tracepoint:sched/sched_switch { @ = count(); } t:sched:sched_switch { @b[data->prev_comm] = count(); }`,
			want:   `raw_tracepoint sched_switch: as a raw tracepoint, at which this kernel skips nothing; 2 clauses in one program`,
		},
		{
			kernel: "6.18-amd64",
			script: `tracepoint:syscalls/sys_enter_* { @ = count(); }`,
			want:   `raw_tracepoint sys_enter(107): one attachment to raw_syscalls/sys_enter for 107 system calls; as a raw tracepoint, at which this kernel skips nothing`,
		},
		{
			kernel: "5.10-amd64",
			script: `rawtracepoint:softirq_@(entry|raise) { @ = count(); }`,
			want:   `raw_tracepoint softirq_entry: the tracepoint itself, without a record; 1 left out, at which a program could run inside itself before Linux 6.1`,
		},
		{
			kernel: "6.18-amd64",
			script: `rawtracepoint:block_rq_@(issue|complete) { @[exists(arg1) ? arg1 : arg0] = count(); }`,
			want: `raw_tracepoint block_rq_complete: the tracepoint itself, without a record; what fires while its program runs is missed, and counted
raw_tracepoint block_rq_issue: the tracepoint itself, without a record`,
		},
		{
			kernel: "6.18-amd64",
			script: `rawtracepoint:block_rq_@(issue|complete) / !exists(arg1) / { @[arg0] = count(); }`,
			want:   `raw_tracepoint block_rq_issue: the tracepoint itself, without a record`,
		},
		{
			kernel: "6.18-amd64",
			script: `rawtracepoint:sched_sw* { @[arg0] = count(); }`,
			want: `raw_tracepoint sched_swap_numa: the tracepoint itself, without a record; what fires while its program runs is missed, and counted
raw_tracepoint sched_switch: the tracepoint itself, without a record`,
		},
		{
			kernel: "6.18-amd64",
			script: `rt:sched_sw* { @[probe] = count(); }`,
			want: `raw_tracepoint sched_swap_numa: the tracepoint itself, without a record; what fires while its program runs is missed, and counted; a program for each attach point: this kernel cannot tell one program which of them fired
raw_tracepoint sched_switch: the tracepoint itself, without a record; a program for each attach point: this kernel cannot tell one program which of them fired`,
		},
		{
			kernel: "6.18-amd64",
			script: `software:faults { @[comm] = count(); } hardware:cache-misses:50000 { @m = count(); }`,
			want: `perf_event page-faults:1 period=1 freq=0 cpus=[0 1]: perf event page-faults, one in 1, on 2 CPUs
perf_event cache-misses:50000 period=50000 freq=0 cpus=[0 1]: perf event cache-misses, one in 50000, on 2 CPUs`,
		},
		{
			kernel: "6.18-amd64",
			script: `hardware:cycles:99hz { @ = sum(period); } hardware:L1-dcache-load-misses:2M { @m = sum(period); }`,
			want: `perf_event cpu-cycles:99hz period=0 freq=99 cpus=[0 1]: perf event cpu-cycles, 99 times a second, on 2 CPUs
perf_event L1-dcache-load-misses:2000000 period=2000000 freq=0 cpus=[0 1]: perf event L1-dcache-load-misses, one in 2000000, on 2 CPUs`,
		},
		{
			kernel: "6.18-amd64",
			script: `watchpoint:0x1000:8:w { @ = count(); } w:0xffffffff82000000+4:4:rw { @k = count(); }`,
			want: `perf_event 0x1000:8:w period=1 freq=0 cpus=[0 1]: a debug register of 2 CPUs, in all processes
perf_event 0xffffffff82000000+4:4:rw period=1 freq=0 cpus=[0 1]: a debug register of 2 CPUs`,
		},
		{
			kernel: "6.18-amd64",
			script: `tracepoint:syscalls/sys_@(enter|exit)_* { @[probe] = count(); }`,
			want: `raw_tracepoint sys_enter(107): one attachment to raw_syscalls/sys_enter for 107 system calls; as a raw tracepoint, at which this kernel skips nothing
raw_tracepoint sys_exit(107): one attachment to raw_syscalls/sys_exit for 107 system calls; as a raw tracepoint, at which this kernel skips nothing`,
		},
		{
			kernel: "6.18-amd64",
			script: `t:sched/sched_switch, tracepoint:sched:sched_swi*, rt:sched_switch { @ = count(); }`,
			want: `raw_tracepoint sched_switch: as a raw tracepoint, at which this kernel skips nothing
raw_tracepoint sched_switch: the tracepoint itself, without a record`,
		},
		{
			kernel: "6.18-amd64",
			script: `kprobe:sys_clone, kprobe:SyS_clone*, k:sys_clone3, tracepoint:syscalls/sys_enter_clone { @ = count(); }`,
			want:   `raw_tracepoint sys_enter: one attachment to raw_syscalls/sys_enter for 2 system calls; as a raw tracepoint, at which this kernel skips nothing; 3 clauses in one program`,
		},
		{
			kernel: "7.3-amd64",
			script: `kprobe:vfs_read, kprobe:vfs_read+0, kprobe:vfs_@(read|write) { @ = count(); }`,
			want: `kprobe vfs_read: through perf; what is called while another program runs on its CPU is missed, and counted
kprobe vfs_write: through perf; what is called while another program runs on its CPU is missed, and counted`,
		},
		{
			kernel: "6.18-amd64",
			opt:    bpfgen.Options{PlainAttach: true},
			script: `tracepoint:syscalls/sys_enter_* { @[probe] = count(); }`,
			want:   `tracepoint syscalls/sys_enter_accept syscalls/sys_enter_accept4 syscalls/sys_enter_bind and 104 more: through perf: what fires while another program runs on its CPU is missed, and counted; one program for 107 attach points`,
		},
	} {
		t.Run(row.kernel+" "+row.script, func(t *testing.T) {
			o, err := build(open(t, row.kernel), row.script, row.opt)
			if err != nil {
				t.Fatal(plylang.Detail(err))
			}
			if got := planText(o); got != row.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, row.want)
			}
		})
	}
}

// allProviders is what a message lists where no name is close.
var allProviders = regexp.MustCompile(`there are tracepoint, .*, END`)

// Errors are at the specification, and say what would do.
func TestProviderErrors(t *testing.T) {
	for _, row := range []struct {
		kernel, script, want string
		missing              bool
	}{
		{kernel: "6.18-amd64", script: `kprode:vfs_read { @ = count(); }`, want: `script:1:1: no probe provider named "kprode" (there are …); did you mean "kprobe"?`},
		{kernel: "6.18-amd64", script: `x:y { @ = count(); }`, want: `script:1:1: no probe provider named "x" (there are …)`},
		{kernel: "6.18-amd64", script: `r:y { @ = count(); }`, want: `script:1:1: this kernel has no raw tracepoint y`, missing: true},
		{kernel: "6.18-amd64", script: `kprobe:vfs_read { @ = count(); }`, want: `script:1:1: this kernel has no kprobes (CONFIG_KPROBES is off), so its functions cannot be traced; system calls and tracepoints work, e.g. kprobe:sys_read or tracepoint:sched/sched_switch`, missing: true},
		{kernel: "6.18-amd64", script: `kprobe:sys_472 { @ = count(); }`, want: `script:1:1: this kernel is built without the system call 472, which is fchroot`, missing: true},
		{kernel: "6.18-amd64", script: `kprobe:sys_00 { @ = count(); }`, want: `script:1:1: there is no system call "00" on x86_64`, missing: true},
		{kernel: "6.18-amd64", script: `kprobe:sys_+0 { @ = count(); }`, want: `script:1:1: there is no system call "+0" on x86_64`, missing: true},
		{kernel: "6.18-amd64", script: `kprobe:sys_raed { @ = count(); }`, want: `script:1:1: there is no system call "raed" on x86_64; did you mean "read"?`, missing: true},
		{kernel: "6.18-amd64", script: `kprobe:sys_zz* { @ = count(); }`, want: `script:1:1: no system call of this kernel matches sys_zz*`, missing: true},
		{kernel: "6.18-amd64", script: `kretprobe:sys_exit_group { @ = count(); }`, want: `script:1:1: system call exit_group does not return: it ends the process; use kprobe:sys_exit_group`},
		{kernel: "6.18-amd64", script: `kprobe:SyS_read+4 { @ = count(); }`, want: `script:1:1: this kernel has no kprobes (CONFIG_KPROBES is off), so its functions cannot be traced; system calls and tracepoints work, e.g. kprobe:sys_read or tracepoint:sched/sched_switch`, missing: true},
		{kernel: "6.18-amd64", script: `tracepoint:sched/sched_swich { @ = count(); }`, want: `script:1:1: this kernel has no tracepoint sched/sched_swich; did you mean "sched/sched_switch"?`, missing: true},
		{kernel: "6.18-amd64", script: `tracepoint:sched_switch { @ = count(); }`, want: `script:1:1: tracepoint "sched_switch" lacks its category: write tracepoint:category/event, here tracepoint:sched/sched_switch`},
		{kernel: "6.18-amd64", script: `tracepoint:nosuch/* { @ = count(); }`, want: `script:1:1: no tracepoint of this kernel matches nosuch/*`, missing: true},
		{kernel: "6.18-amd64", script: `tracepoint:sched/sched_switch { @[data->prev_comn] = count(); }`, want: `script:1:41: tracepoint sched/sched_switch has no member "prev_comn"; did you mean "prev_comm"?`},
		{kernel: "6.18-amd64", script: `tracepoint:sched/* { @[data->prev_comm] = count(); }`, want: `script:1:30: tracepoint sched/sched_kthread_stop has no member "prev_comm"; it has comm, pid`},
		{kernel: "6.18-amd64", script: `rawtracepoint:block_rq_@(issue|insert) { @[arg1] = count(); }`, want: `script:1:44: there is no arg1: the only argument is arg0`},
		{kernel: "5.10-amd64", script: `rawtracepoint:block_rq_issue { @[arg1] = count(); }`, want: `script:1:34: there is no arg1: the only argument is arg0`},
		{kernel: "6.18-amd64", script: `kretprobe:sys_read { @[arg0] = count(); }`, want: `script:1:24: arg0 exists in rawtracepoint, kprobe, fentry, fexit, uprobe or usdt, not in kretprobe: keep it where the function begins, as in @x[tid] = arg0`},
		{kernel: "6.18-amd64", script: `kprobe:sys_read { @[retval] = count(); }`, want: `script:1:21: retval exists in kretprobe, fexit or uretprobe, not in kprobe`},
		{kernel: "6.18-amd64", script: `tracepoint:sched/sched_switch { @[func] = count(); }`, want: `script:1:35: func exists in kprobe, kretprobe, fentry, fexit, uprobe or uretprobe, not in tracepoint`},
		{kernel: "6.18-amd64", script: `fentry:vfs_read { @ = count(); }`, want: `script:1:1: this kernel refuses programs at fentry and fexit and has no kprobes, so its functions cannot be traced; system calls and tracepoints work, e.g. kprobe:sys_read or tracepoint:sched/sched_switch`, missing: true},
		{kernel: "5.10-amd64", script: `fentry:kfree { @ = count(); }`, want: `script:1:1: no program can be at fentry of kfree: the kernel's types do not declare it: write kprobe:kfree`, missing: true},
		{kernel: "5.10-amd64", script: `fexit:vfs_nothing* { @ = count(); }`, want: `script:1:1: no function of this kernel matches vfs_nothing*`, missing: true},
		{kernel: "6.18-amd64", script: `profile:7:99hz { @ = count(); }`, want: `script:1:1: cpu 7 is not online; 2 CPUs online`, missing: true},
		{kernel: "6.18-amd64", script: `interval:0 { @ = count(); }`, want: `script:1:1: an interval of 0 has no meaning: use 100us or more`},
		{kernel: "5.10-amd64", script: `rawtracepoint:page_fault_user { @ = count(); }`, want: `script:1:1: before Linux 6.1 a program at this raw tracepoint could run inside itself, without end, because reading memory raises page faults, and what handles them: write tracepoint:*/page_fault_user, which the kernel guards`, missing: true},
		{kernel: "6.18-amd64", script: `kretprobe:openat { @ = count(); }`, want: `script:1:1: this kernel has no kprobes (CONFIG_KPROBES is off), so its functions cannot be traced; system calls and tracepoints work, e.g. kprobe:sys_read or tracepoint:sched/sched_switch; the system call is kretprobe:SyS_openat`, missing: true},
		{kernel: "7.3-amd64", script: `kprobe:read { @ = count(); }`, want: `script:1:1: this kernel has no function read; the system call is kprobe:SyS_read`, missing: true},
		{kernel: "7.3-amd64", script: `kprobe:vfs_raed { @ = count(); }`, want: `script:1:1: this kernel has no function vfs_raed; did you mean "vfs_read" or "vfs_readv"?`, missing: true},
		{kernel: "7.3-amd64", script: `kprobe:tcp_rate_skb_delivered { @ = count(); }`, want: `script:1:1: this kernel has no function tcp_rate_skb_delivered: the compiler has inlined it and left tcp_rate_skb_delivered.part.0, which not every call reaches`, missing: true},
		{kernel: "7.3-amd64", script: `kprobe:blk_account_io_start { @ = count(); }`, want: `script:1:1: the kernel allows no probe in its function blk_account_io_start, which is gone or inlined since Linux 5.17: use tracepoint:block/block_io_start or tracepoint:block/block_rq_issue`, missing: true},
		{kernel: "7.3-amd64", script: `kprobe:blk_account_io_done { @ = count(); }`, want: `script:1:1: this kernel has no function blk_account_io_done, which is gone or inlined since Linux 5.17: use tracepoint:block/block_io_done or tracepoint:block/block_rq_complete`, missing: true},
		{kernel: "7.3-amd64", script: `kprobe:zzz_* { @ = count(); }`, want: `script:1:1: no function of this kernel matches zzz_*`, missing: true},
		{kernel: "7.3-amd64", script: `kretprobe:vfs_read+4 { @ = count(); }`, want: `script:1:1: kretprobe fires where a function returns: leave out the offset or address in "vfs_read+4"`},
		{kernel: "7.3-amd64", script: `kretprobe:do_exit { @ = count(); }`, want: `script:1:1: do_exit never returns: write kprobe:do_exit`, missing: true},
		{kernel: "7.3-amd64", script: `fexit:do_exit { @ = count(); }`, want: `script:1:1: do_exit never returns: write fentry:do_exit`, missing: true},
		{kernel: "7.3-amd64", script: `fexit:schedule { @[retval] = count(); }`, want: `script:1:20: retval exists in kretprobe, fexit of a function that returns something (schedule does not) or uretprobe, not in fexit:schedule`},
		{kernel: "7.3-amd64", script: `fexit:schedule { @[arg0] = count(); }`, want: `script:1:20: arg0 exists in rawtracepoint, kprobe, fentry, fexit of another function, uprobe or usdt, not in fexit`},
		{kernel: "7.3-amd64", script: `kprobe:kfree { @[args->objp] = count(); }`, want: `script:1:24: the kernel's types do not declare the arguments of kfree: write arg0 and so on, with casts of what they point to, as in ((struct sk_buff *)arg0)->len`},
		{kernel: "5.10-amd64", script: `kprobe:mem_cgroup_swapout { @[args->entry.val] = count(); }`, want: `script:1:37: entry of function mem_cgroup_swapout is swp_entry_t by value, which is not read`},
		{kernel: "6.12-arm64", script: `fentry:mem_cgroup_swapout { @[args->entry.val] = count(); }`, want: `script:1:37: entry of function mem_cgroup_swapout is swp_entry_t by value, which is not read`},
		{kernel: "7.3-amd64", script: `kprobe:vfs_read { @[args->fil] = count(); }`, want: `script:1:27: function vfs_read has no member "fil"; did you mean "file"?`},
		{kernel: "7.3-amd64", script: `kprobe:vfs_read { @[reg("rxa")] = count(); }`, want: `script:1:25: this machine (x86_64) has no register "rxa"; did you mean "rax"?`},
		{kernel: "7.3-amd64", script: `kprobe:nosuchmod:vfs_read { @ = count(); }`, want: `script:1:1: no module "nosuchmod" is loaded: run "modprobe nosuchmod" first; what is built into the kernel has no module's name before it`, missing: true},
		{kernel: "7.3-amd64", script: `kprobe:vfs_read+0x100000 { @ = count(); }`, want: `script:1:1: vfs_read+1048576 is behind the end of vfs_read, in ext4_file_open`, missing: true},
		{kernel: "7.3-amd64", script: `kprobe:0x1000 { @ = count(); }`, want: `script:1:1: no function of this kernel is at 0x1000: take the address from /proc/kallsyms, which changes at every boot`, missing: true},
		{kernel: "6.18-amd64", script: `rt:sched_swich { @ = count(); }`, want: `script:1:1: this kernel has no raw tracepoint sched_swich; did you mean "sched_switch"?`, missing: true},
		{kernel: "6.18-amd64", script: `rt:sched/sched_switch { @ = count(); }`, want: `script:1:1: a raw tracepoint has no category: write rawtracepoint:event`},
		{kernel: "6.18-amd64", script: `software:page-falts:1 { @ = count(); }`, want: `script:1:1: no software event named "page-falts"; did you mean "page-faults"?`},
		{kernel: "6.18-amd64", script: `software:page-faults:0 { @ = count(); }`, want: `script:1:1: "0" is no period: write how many events make it fire, software:page-faults:1`},
		{kernel: "6.18-amd64", script: `software:faults:99hz { @ = sum(period); }`, want: `script:1:1: page-faults has no rate, since the kernel finds no period for it: after a few in quick succession it waits for thousands, and says that these have been: write how many make it fire, software:page-faults:100`},
		{kernel: "6.18-amd64", script: `software:cpu-clock:20000hz { @ = count(); }`, want: `script:1:1: 20000hz is too fast: use 10000hz or less`},
		{kernel: "6.18-amd64", script: `software:cpu-clock:0hz { @ = count(); }`, want: `script:1:1: a rate of 0 never fires: use 1hz or more`},
		{kernel: "6.18-amd64", script: `software:cpu-clock:99Hz { @ = count(); }`, want: `script:1:1: "99Hz" is no period: write how many events make it fire, software:cpu-clock:1000000, or how often it is to fire, software:cpu-clock:99hz`},
		{kernel: "6.18-amd64", script: `hardware:L1-dcache-load-mises { @ = count(); }`, want: `script:1:1: no hardware event named "L1-dcache-load-mises"; did you mean "L1-dcache-load-misses"?`},
		{kernel: "6.12-arm64", script: `watchpoint:0x1000:8:w { @ = count(); }`, want: `script:1:1: memory can be watched on amd64 only, and this is arm64`, missing: true},
		{kernel: "6.18-amd64", script: `watchpoint:x { @ = count(); }`, want: `script:1:1: watchpoint "x" is not complete: write watchpoint:address:length:access, such as watchpoint:jiffies_64:8:w`},
		{kernel: "6.18-amd64", script: `watchpoint:x:8:r { @ = count(); }`, want: `script:1:1: the processor does not tell reads from writes: write rw`},
		{kernel: "6.18-amd64", script: `watchpoint:x:8:x { @ = count(); }`, want: `script:1:1: instructions are not watched as memory is: write kprobe:function or uprobe:path:function`},
		{kernel: "6.18-amd64", script: `watchpoint:x:8:q { @ = count(); }`, want: `script:1:1: "q" is no access to memory: write w or rw`},
		{kernel: "6.18-amd64", script: `watchpoint::8:w { @ = count(); }`, want: `script:1:1: the address is missing: write watchpoint:jiffies_64:8:w`},
		{kernel: "6.18-amd64", script: `watchpoint:x:3:w { @ = count(); }`, want: `script:1:1: "3" is no length of memory that can be watched: write 1, 2, 4 or 8`},
		{kernel: "6.18-amd64", script: `watchpoint:x+y:8:w { @ = count(); }`, want: `script:1:1: "y" is no offset: write x+8`},
		{kernel: "6.18-amd64", script: `watchpoint:0x0:8:w { @ = count(); }`, want: `script:1:1: nothing is at address 0x0`},
		{kernel: "6.18-amd64", script: `watchpoint:0xfffffffffffffff8+0x2008:8:w { @ = count(); }`, want: `script:1:1: no memory can be at 0xfffffffffffffff8+0x2008: an address has 57 bits at most`},
		{kernel: "6.18-amd64", script: `watchpoint:0x8000000000000000:8:w { @ = count(); }`, want: `script:1:1: no memory can be at 0x8000000000000000: an address has 57 bits at most`},
		{kernel: "6.18-amd64", script: `watchpoint:0x1001:2:w { @ = count(); }`, want: `script:1:1: 0x1001 is not at a multiple of 2 bytes, which the processor wants: watch fewer bytes, or begin elsewhere`},
		{kernel: "6.18-amd64", script: `hardware:cycles:10 { @ = count(); }`, want: `script:1:1: hardware:cpu-cycles:10 fires too often: use a period of 1000 or more`},
		{kernel: "6.18-amd64", script: `software:cpu-clock:10 { @ = count(); }`, want: `script:1:1: software:cpu-clock:10 fires too often: use a period of 100000 or more`},
	} {
		t.Run(row.kernel+" "+row.script, func(t *testing.T) {
			_, err := bpfgen.Build(&plylang.Source{Text: row.script}, open(t, row.kernel), bpfgen.Options{}, nil)
			if _, ok := err.(plylang.ErrorList); !ok {
				t.Fatalf("error is %v", err)
			}
			got := allProviders.ReplaceAllString(err.Error(), "there are …")
			if got != row.want || errors.Is(err, plylang.ErrMissing) != row.missing {
				t.Errorf("got %s (missing: %v)\nwant %s", got, errors.Is(err, plylang.ErrMissing), row.want)
			}
		})
	}
}

// What files are like is no error in a script: others of a configuration run.
func TestLoopOfLinks(t *testing.T) {
	loop := filepath.Join(t.TempDir(), "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	_, err := bpfgen.Build(&plylang.Source{Text: "uprobe:" + loop + ":main { @ = count(); }"}, open(t, "6.18-amd64"), bpfgen.Options{}, nil)
	if want := "open " + loop + ": too many levels of symbolic links"; !errors.Is(err, plylang.ErrMissing) || !strings.Contains(plylang.Detail(err), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// A register is read for the result of a function that has none, of which a warning
// tells unless the specification matches others.
func TestNoResult(t *testing.T) {
	const want = "schedule returns nothing: retval is what a register happens to hold"
	for script, warned := range map[string]bool{
		"kretprobe:schedule { @[retval] = count(); }":  true,
		"kretprobe:schedule { @ = count(); }":          false,
		"kretprobe:schedule* { @[retval] = count(); }": false,
		"kretprobe:vfs_read { @[retval] = count(); }":  false,
		"kretprobe:kfree { @[retval] = count(); }":     false, // it is not declared
	} {
		obj, err := bpfgen.Build(&plylang.Source{Text: script}, open(t, "7.3-amd64"), bpfgen.Options{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(obj.Warnings); strings.Contains(got, want) != warned {
			t.Errorf("%s: %s", script, got)
		}
	}
}

// Firings by rate are not events, unless they stand for time.
func TestCountByRate(t *testing.T) {
	for script, want := range map[string]string{
		"hardware:cycles:99hz { @ = count(); }":     "with a rate, each firing stands for another number of cpu-cycles",
		"hardware:cycles:99hz { @ = sum(period); }": "",
		"hardware:cycles:1M { @ = count(); }":       "",
		"software:task-clock:99hz { @ = count(); }": "",
	} {
		obj, err := bpfgen.Build(&plylang.Source{Text: script}, open(t, "6.18-amd64"), bpfgen.Options{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(obj.Warnings); (want == "") != (len(obj.Warnings) == 0) || !strings.Contains(got, want) {
			t.Errorf("%s: %s", script, got)
		}
	}
}
