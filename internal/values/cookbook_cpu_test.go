package values

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"ply-exporter/internal/need"
)

var cpuRecipes = []recipe{
	{
		script: "cpu_wait",
		start: func(t *testing.T, _ ledger) (func(), []comparison) {
			g, all := rivals(t)
			return func() { all.work(t, time.Second) }, []comparison{
				{ours: ours("ply_cpu_wait_seconds_total", "cgroup", g.path), source: "waits in schedstat of its processes", theirs: all.sum("schedstat", "", 1, 1e-9), slack: 0.1, least: 0.3},
			}
		},
	},
	{
		script: "throttled", here: need.HasKprobes,
		start: func(t *testing.T, _ ledger) (func(), []comparison) {
			must(t, os.WriteFile(cgroups(t)+"/cgroup.subtree_control", []byte("+cpu"), 0))
			g, all := rivals(t)
			g.write(t, "cpu.max", aFifth)
			return func() { all.work(t, fivePeriods) }, []comparison{
				{ours: ours("ply_throttled_seconds_count", "cgroup", g.path), source: "nr_throttled of cpu.stat", theirs: g.stat("nr_throttled", 1), slack: 1, least: 4},
				{ours: ours("ply_throttled_seconds_sum", "cgroup", g.path), source: "throttled_usec of cpu.stat", theirs: g.stat("throttled_usec", 1e-6), slack: 0.5, least: 1}, // Linux 7 begins to count when the task has left the kernel
			}
		},
	},
	{
		script: "switches",
		start: func(t *testing.T, _ ledger) (func(), []comparison) {
			g, all := rivals(t)
			return func() { all.work(t, time.Second) }, []comparison{
				{ours: ours("ply_switches_total", "cgroup", g.path, "kind", "preempted"), source: "nonvoluntary_ctxt_switches of its processes", theirs: all.sum("status", "nonvoluntary_ctxt_switches:", 0, 1), least: 5},
				{ours: ours("ply_switches_total", "cgroup", g.path, "kind", "blocked"), source: "voluntary_ctxt_switches of its processes", theirs: all.sum("status", "\nvoluntary_ctxt_switches:", 0, 1)},
			}
		},
	},
	{
		script: "migrations",
		work:   func(t *testing.T, _ ledger) { migrate(t) },
		compared: func(t *testing.T, _ ledger) []comparison {
			return []comparison{
				{ours: ours("ply_migrations_total"), source: "perf's count of sched_migrate_task", theirs: perfTracepoint(t, "sched/sched_migrate_task"), least: moves},
			}
		},
	},
	{
		script: "blocked",
		work: func(t *testing.T, did ledger) {
			// a thread that calls vfork waits uninterruptibly until its child has another program
			path := need.Command(t, "busybox")
			inThread(t, "cookbook-vfork", func() {
				for range times {
					did["vforks"]++
					did.timed(func() {
						if pid, err := syscall.ForkExec(path, []string{"true"}, nil); err == nil {
							_, _ = syscall.Wait4(pid, nil, 0, nil)
						}
					})
				}
			})
		},
		compared: func(_ *testing.T, did ledger) []comparison {
			return []comparison{
				{ours: ours("ply_blocked_seconds_count", "comm", "cookbook-vfork"), source: "how often it called vfork", theirs: did.of("vforks"), least: times, slack: times / 4}, // a lock of its memory, too
				didTake(ours("ply_blocked_seconds_sum", "comm", "cookbook-vfork"), did, 0.001),
			}
		},
	},
	{
		script: "softirq_time",
		work:   func(t *testing.T, _ ledger) { interrupt(t) },
		compared: func(t *testing.T, _ ledger) (list []comparison) {
			for _, kind := range []string{"NET_RX", "TIMER", "SCHED"} {
				list = append(list, comparison{
					ours: ours("ply_softirq_time_seconds_count", "kind", kind), source: kind + " of /proc/softirqs",
					theirs: sumOf("/proc/softirqs", kind), slack: float64(len(onlineCPUs(t))), least: 3,
				})
			}
			return list
		},
	},
	{
		script: "device_interrupts", here: need.InGuest, // see TestInterrupts
		work: func(t *testing.T, _ ledger) { interrupt(t) },
		compared: func(t *testing.T, _ ledger) []comparison {
			return []comparison{{
				ours: ours("ply_device_interrupts_total"), source: "lines of devices in /proc/interrupts",
				theirs: sumOf("/proc/interrupts", namesIn(t, "/proc/interrupts", "[0-9]*")...), slack: float64(len(onlineCPUs(t))),
			}}
		},
	},
	{
		script: "starts",
		start: func(t *testing.T, did ledger) (func(), []comparison) {
			g := newGroup(t, "ply_cookbook")
			start := func() {
				cmd := exec.Command("sh", "-c", fmt.Sprintf("echo $$ >%s/cgroup.procs; i=0; while [ $i -lt %d ]; do %s true; i=$((i + 1)); done", g.folder, times, need.Command(t, "busybox")))
				run(t, cmd)
				did["starts"] += times
			}
			return start, []comparison{{ours: ours("ply_starts_total", "cgroup", g.path), source: "what the shell was told to start", theirs: did.of("starts"), least: times}}
		},
	},
}

// rivals are processes of a cgroup that want the same CPU all the time.
func rivals(t *testing.T) (group, spinners) {
	t.Helper()
	g := newGroup(t, "ply_cookbook")
	all := spin(t, 2, onlineCPUs(t)[0])
	for _, pid := range all {
		g.add(t, pid)
	}
	return g, all
}
