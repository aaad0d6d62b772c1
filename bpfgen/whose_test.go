package bpfgen

import (
	"strings"
	"testing"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// A key of the task that runs is warned of where the event is about another one.
func TestBystanders(t *testing.T) {
	k := recorded(t, "6.18-amd64")
	for _, row := range []struct{ script, want string }{
		{"t:sched:sched_switch { @[comm] = count(); }",
			"at tracepoint:sched/sched_switch, comm is that of the task that leaves the CPU, which may be the idle task; the one that it is about is in data->prev_pid and data->next_pid"},
		{"t:sched:sched_switch { c = cgroup; @[cpu, c] = count(); }", "c is that of the task that leaves the CPU"},
		{"t:sched:sched_switch { @[(u64)pid, cpu] = count(); @[(u64)data->next_pid, cpu] = count(); }", "pid is that of the task that leaves the CPU"},
		{"t:sched:sched_switch / start[data->next_pid] / { @[comm] = sum(time - start[data->next_pid]); start[tid] = time; }", "comm is that of the task that leaves"},
		{"rawtracepoint:sched_switch { @[comm] = count(); }", "at rawtracepoint:sched_switch, comm is that of the task that leaves"},
		{"t:sched:sched_wakeup, t:sched:sched_wakeup_new { start[pid] = time; }", "pid is that of the task that wakes the other"},
		{"t:irq:softirq_entry { @[data->vec, comm].count() }", "comm is that of whichever task was interrupted"},
		{"t:timer:hrtimer_expire_* { @[uid] = count(); }", "uid is that of whichever task was interrupted"},
		{"interval:1s { @[comm] = count(); }", "at interval:1s, comm is that of whichever task was interrupted"},
		{"t:block:block_rq_complete { if (data->nr_sector) { @[cgroup] = sum(data->nr_sector); } }", "cgroup is that of whichever task the completion interrupted"},
		{"t:sock:inet_sock_set_state { @[comm] = count(); }", "comm is that of whichever task a packet or a timer interrupted"},
		{"t:signal:signal_generate { @[comm] = count(); }", "comm is that of the sender"},
		{"t:sched:sched_process_fork { @[pid] = count(); }", "pid is that of the parent; the one that it is about is in data->child_pid"},
		{`t:sched:sched_switch / cgroup in "/a/*" / { @ = count(); }`, "cgroup is that of the task that leaves the CPU"},
		{`t:irq:softirq_entry { if (cgroup(curtask) in "/a/*") { @ = count(); } }`, "curtask is that of whichever task was interrupted"},

		{`t:sched:sched_switch / cgroup in "/a/*" && data->prev_state == 1 / { @ = count(); }`, ""},
		{`t:sched:sched_process_fork, t:block:block_rq_issue / cgroup in "/a/*" / { @ = count(); }`, ""},
		{"t:sched:sched_process_fork { @[comm, uid, cgroup] = count(); }", ""},
		{"t:sched:sched_switch { @ = count(); start[tid] = time; since[data->prev_pid] = time; @k[data->next_comm, 1].count() }", ""},
		{"t:sched:sched_switch { level[tid] = cpu; @[level[tid]] = count(); }", ""},
		{"t:sched:sched_switch / pid != 0 / { @[comm] = count(); }", ""},
		{"t:sched:sched_switch / data->prev_state == 1 / { @[comm] = count(); }", ""},
		{"t:sched:sched_waking { @[comm, data->comm] = count(); }", ""},
		{"t:sched:sched_waking / data->pid == 42 / { @[comm] = count(); }", ""},
		{"t:irq:softirq_entry { start[tid] = time; } t:irq:softirq_exit / start[tid] / { @[data->vec] = sum(time - start[tid]); }", ""},
		{"profile:99hz, t:block:block_rq_issue, t:syscalls:sys_enter_read, software:page-faults:1 { @[comm, pid] = count(); }", ""},
	} {
		got := Bystanders(checkedScript(t, k, row.script))
		if row.want == "" && len(got) > 0 || row.want != "" && (len(got) != 1 || !strings.Contains(got[0].Msg, row.want)) {
			t.Errorf("%s: got\n%v\nwant %q", row.script, got, row.want)
		}
	}
}

// checkedScript is the checked tree of a script without errors.
func checkedScript(t *testing.T, k *kernel.Kernel, text string) *plylang.Script {
	t.Helper()
	script, err := plylang.Parse(&plylang.Source{Text: text})
	if err == nil {
		err = plylang.Check(script, newEnv(k, Options{}, nil))
	}
	if err != nil {
		t.Fatalf("%s: %s", text, plylang.Detail(err))
	}
	return script
}
