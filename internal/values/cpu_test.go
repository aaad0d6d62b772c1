package values

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// Two cgroups share a CPU: each waits, and loses it to the other.
func TestCPUWaits(t *testing.T) {
	need.EachKernel(t)
	if need.InGuest() {
		dequeueAtOnce(t)
	}
	s := serve(t, load(t, "cpu.yaml"))
	one, other := newGroup(t, "ply_values_one"), newGroup(t, "ply_values_other")
	cpus := onlineCPUs(t)
	var both spinners
	var list []comparison
	for _, g := range []group{one, other} {
		all := spin(t, 2, cpus[len(cpus)-1])
		for _, pid := range all {
			g.add(t, pid)
		}
		both = append(both, all...)
		list = append(list,
			comparison{ours: ours("ply_cpu_preemptions_total", "victim", g.path), source: "nonvoluntary_ctxt_switches of its processes", theirs: all.sum("status", "nonvoluntary_ctxt_switches:", 0, 1), least: 10},
			comparison{ours: ours("ply_cpu_wait_seconds_total", "cgroup", g.path), source: "waits in schedstat of its processes", theirs: all.sum("schedstat", "", 1, 1e-9), slack: 0.1, least: 1},
		)
	}
	if need.InGuest() { // this machine's kernel may have no /proc/schedstat
		list = append(list,
			comparison{ours: ours("ply_cpu_run_queue_latency_seconds_count"), source: "turns in /proc/schedstat", theirs: schedstat(1, 1), slack: 5, least: 100},
			comparison{ours: ours("ply_cpu_run_queue_latency_seconds_sum"), source: "waits in /proc/schedstat", theirs: schedstat(2, 1e-9), slack: 0.3, least: 2},
		)
	}
	compare(t, s, func() { both.work(t, 2*time.Second) }, list...)
}

// dequeueAtOnce has the scheduler take a task that sleeps out of its run queue at
// once, until the test ends. From Linux 6.12 on (DELAY_DEQUEUE; seen on 6.12 and
// 7.3) it may stay there for a while. If it is moved to another CPU meanwhile, the
// kernel begins to count its wait in schedstat, so that the sleep is a part of it.
// Without DELAY_DEQUEUE none of these sleeps is.
func dequeueAtOnce(t *testing.T) {
	t.Helper()
	const file = "/sys/kernel/debug/sched/features" // of the scheduler, "NO_X" if X is off
	text, err := os.ReadFile(file)
	if !slices.Contains(strings.Fields(string(text)), "DELAY_DEQUEUE") {
		if !need.Older(need.Release(), "6.12") {
			t.Fatalf("%s does not name DELAY_DEQUEUE: %v", file, err)
		}
		return
	}
	must(t, os.WriteFile(file, []byte("NO_DELAY_DEQUEUE"), 0))
	t.Cleanup(func() { must(t, os.WriteFile(file, []byte("DELAY_DEQUEUE"), 0)) })
}

// schedstat is a source: the sum over all CPUs of a number in /proc/schedstat,
// counted from the end of the line, times a factor.
func schedstat(fromEnd int, factor float64) func(*testing.T) float64 {
	return func(t *testing.T) (sum float64) {
		t.Helper()
		for _, cpu := range namesIn(t, "/proc/schedstat", "cpu*") {
			numbers := fields(t, "/proc/schedstat", cpu)
			sum += numbers[len(numbers)-fromEnd] * factor
		}
		return sum
	}
}

func TestCPUMigrations(t *testing.T) {
	need.EachKernel(t)
	s := serve(t, load(t, "cpu.yaml"))
	compare(t, s, func() { migrate(t) },
		comparison{ours: ours("ply_cpu_migrations_total"), source: "perf's count of sched_migrate_task", theirs: perfTracepoint(t, "sched/sched_migrate_task"), least: moves},
		comparison{ours: ours("ply_cpu_migrations_total"), source: "perf's cpu-migrations", theirs: perfCount(t, unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_CPU_MIGRATIONS), slack: moves / 10, least: moves},
	)
}

const moves = 200

// migrate moves this thread from one CPU to another and back.
func migrate(t *testing.T) {
	t.Helper()
	cpus := onlineCPUs(t)
	runtime.LockOSThread() // and never unlocked, so that the thread ends with the test
	for i := range moves + 1 {
		runOn(t, 0, cpus[i%len(cpus)])
	}
}

// A sample of the run queue has the tasks that compute all the time, and not many more than
// /proc/loadavg says run.
func TestCPURunQueueLength(t *testing.T) {
	need.EachKernel(t)
	s := serve(t, load(t, "cpu.yaml"))
	const each = 4
	cpus := onlineCPUs(t)
	var all spinners
	for _, cpu := range cpus {
		all = append(all, spin(t, each, cpu)...)
	}
	for _, pid := range all {
		must(t, unix.Kill(pid, unix.SIGCONT))
	}
	before, running, n := s.scrape(t), 0.0, 0.0
	for begin := time.Now(); time.Since(begin) < 2*time.Second || n < 20; time.Sleep(10 * time.Millisecond) {
		running += runningTasks(t)
		n++
	}
	after := s.scrape(t)
	length := func(part string) float64 {
		m := ours("ply_cpu_run_queue_length_" + part)
		return m.of(after) - m.of(before)
	}
	got, want := length("sum")/length("count")*float64(len(cpus)), running/n
	if got < float64(each*len(cpus)) || got > 1.3*want {
		t.Errorf("%v tasks run, of which %d compute, and /proc/loadavg says %v", got, len(all), want)
	}
	t.Logf("%v tasks run, /proc/loadavg says %v", got, want)
}

func runningTasks(t *testing.T) (n float64) {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	must(t, err)
	_, err = fmt.Sscanf(strings.Fields(string(text))[3], "%f/", &n)
	must(t, err)
	return n
}

// aFifth allows a cgroup a fifth of a CPU. The period is long: a timer that is late by a whole one, as
// in a guest that has to wait for a CPU itself, counts it as another one without going on in between.
const aFifth, fivePeriods = "100000 500000", 2500 * time.Millisecond

// A cgroup may use a fifth of a CPU and wants all of it.
func TestCPUThrottling(t *testing.T) {
	need.EachKernel(t)
	need.Kprobes(t)
	s := serve(t, load(t, "cpu.yaml"))
	must(t, os.WriteFile(cgroups(t)+"/cgroup.subtree_control", []byte("+cpu"), 0))
	g := newGroup(t, "ply_values_limited")
	g.write(t, "cpu.max", aFifth)
	all := spin(t, 1, 0)
	g.add(t, all[0])
	compare(t, s, func() { all.work(t, fivePeriods) },
		comparison{ours: ours("ply_cpu_throttled_seconds_count", "cgroup", g.path), source: "nr_throttled of cpu.stat", theirs: g.stat("nr_throttled", 1), slack: 1, least: 4},        // which counts periods
		comparison{ours: ours("ply_cpu_throttled_seconds_sum", "cgroup", g.path), source: "throttled_usec of cpu.stat", theirs: g.stat("throttled_usec", 1e-6), slack: 0.5, least: 1}, // Linux 7 begins to count when the task has left the kernel
	)
}
