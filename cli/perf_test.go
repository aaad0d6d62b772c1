package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/configs"
	"ply-exporter/internal/need"
)

// perfStat runs a command under perf stat and returns the counts of its events.
// An argument between events, such as --filter, belongs to the event before it.
func perfStat(t *testing.T, args []string, command ...string) map[string]int {
	t.Helper()
	out := filepath.Join(t.TempDir(), "counts")
	args = append(append(append([]string{"stat", "-x,", "-o", out}, args...), "--"), command...)
	cmd := exec.Command(need.Command(t, "perf"), args...)
	cmd.Env = append(os.Environ(), asWorkload+"="+strconv.Itoa(perfCalls))
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("perf %q: %v\n%s", args, err, said)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for line := range strings.Lines(string(text)) {
		columns := strings.Split(line, ",") // count, unit, event, …
		if len(columns) < 3 {
			continue // a comment
		}
		if counts[columns[2]], err = strconv.Atoi(columns[0]); err != nil {
			t.Errorf("perf: %s", line)
		}
	}
	return counts
}

// perfCalls is how many calls the workload of perf stat makes.
const perfCalls = 5000

// With our programs on the same tracepoints, perf counts every call of a
// process: a program that returned 0 would take them all away. With --attach=plain
// system calls attach through perf, as perf itself does.
func TestPerfCountsEveryCallBesideUs(t *testing.T) {
	need.BPF(t)
	need.Command(t, "perf")
	for _, attach := range []string{"", "auto", "plain"} {
		t.Run("attach "+attach, func(t *testing.T) {
			if attach != "" {
				startServer(t, string(configs.Quickstart), "--attach", attach)
			}
			counts := perfStat(t, []string{
				"-e", "raw_syscalls:sys_enter", "--filter", fmt.Sprintf("id == %d", unix.SYS_GETPRIORITY),
				"-e", "raw_syscalls:sys_exit", "--filter", fmt.Sprintf("id == %d", unix.SYS_GETPRIORITY),
				"-e", "syscalls:sys_enter_getpriority",
				"-e", "sched:sched_process_exec",
			}, os.Args[0])
			for event, want := range map[string]int{
				"raw_syscalls:sys_enter":         perfCalls,
				"raw_syscalls:sys_exit":          perfCalls,
				"syscalls:sys_enter_getpriority": perfCalls,
				"sched:sched_process_exec":       1,
			} {
				if counts[event] != want {
					t.Errorf("perf counts %d of %s, want %d", counts[event], event, want)
				}
			}
		})
	}
}

// busyMachine starts 100 processes and writes 100 blocks to the disk.
const busyMachine = `i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done; exec dd if=/dev/zero of="$1" bs=4096 count=100 oflag=dsync status=none`

// Every tracepoint of the built-in configuration that this workload fires is
// seen by a perf that watches the whole machine. In interrupts perf itself skips
// an event now and then, hence half of the block I/O.
func TestPerfSeesTheMachineBesideUs(t *testing.T) {
	need.BPF(t)
	need.Command(t, "perf")
	for _, attach := range []string{"auto", "plain"} {
		t.Run("attach "+attach, func(t *testing.T) {
			startServer(t, string(configs.Quickstart), "--attach", attach)
			least := map[string]int{
				"raw_syscalls:sys_enter": 1000, "sched:sched_switch": 100, "sched:sched_wakeup": 50,
				"task:task_newtask": 100, "sched:sched_process_exec": 100, "sched:sched_process_exit": 100,
				"irq:softirq_entry": 1, "irq:softirq_exit": 1,
				"block:block_rq_issue": 0, "block:block_rq_complete": 0,
			}
			args := []string{"-a"}
			for event := range least {
				args = append(args, "-e", event)
			}
			before := blockRequests(t)
			counts := perfStat(t, args, "sh", "-c", busyMachine, "sh", filepath.Join(t.TempDir(), "blocks"))
			least["block:block_rq_issue"] = min(blockRequests(t)-before, 100) / 2 // perf starts later, and what else the disk does is not seen before
			least["block:block_rq_complete"] = least["block:block_rq_issue"]
			for event, n := range least {
				if counts[event] < n {
					t.Errorf("perf counts %d of %s, want at least %d", counts[event], event, n)
				}
			}
		})
	}
}

// blockRequests is how many reads and writes the disks have completed. Devices
// without hardware pass them on, or have no queue whose requests are traced.
func blockRequests(t *testing.T) (n int) {
	t.Helper()
	disks, err := filepath.Glob("/sys/block/*/device")
	if err != nil {
		t.Fatal(err)
	}
	for _, disk := range disks {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(disk), "stat"))
		if err != nil {
			t.Fatal(err)
		}
		columns := strings.Fields(string(text))
		for _, column := range []int{0, 4} { // reads and writes completed
			requests, err := strconv.Atoi(columns[column])
			if err != nil {
				t.Fatalf("%s: %s", disk, text)
			}
			n += requests
		}
	}
	return n
}
