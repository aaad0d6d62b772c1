package values

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A container is a group as a runtime makes it for a pod: with a limit of memory, which
// is that of another group where version 1 has the controller.
type container struct {
	group
	label  string // of what has no name
	memory memoryCgroup
}

func newContainer(t *testing.T) container {
	t.Helper()
	id := strings.Repeat("3e7a90cd", 8)
	c := container{label: id[:12]}
	pod := newGroup(t, "pod7a8b9c0d-1111-2222-3333-444455556666")
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
		c.memory = newMemoryCgroup(t)
	} else {
		for _, above := range []string{cgroups(t), pod.folder} {
			must(t, os.WriteFile(above+"/cgroup.subtree_control", []byte("+memory"), 0))
		}
	}
	c.group = newGroup(t, filepath.Base(pod.folder)+"/"+id)
	if c.memory.folder == "" {
		c.memory = memoryCgroup{folder: c.folder}
		c.write(t, "memory.max", strconv.Itoa(limit))
	}
	return c
}

// starts has a command begin in the container.
func (c container) starts(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	folder, err := os.Open(c.folder)
	must(t, err)
	t.Cleanup(func() { folder.Close() })
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(folder.Fd())}
	return cmd
}

// A pod suffers in all ways that are counted. What happens in no container is not its.
func TestContainers(t *testing.T) {
	s := serve(t, load(t, "containers.yaml"))
	c := newContainer(t)
	onDisk(t)
	did := ledger{}
	spin := spin(t, 2, onlineCPUs(t)[0])
	for _, pid := range spin {
		c.add(t, pid)
	}
	in := func(name string, labels ...string) metric { return ours(name, append(labels, "container", c.label)...) }
	compare(t, s, func() { spin.work(t, time.Second) },
		comparison{ours: in("ply_containers_cpu_wait_seconds_total"), source: "waits in schedstat of its processes", theirs: spin.sum("schedstat", "", 1, 1e-9), slack: 0.1, least: 0.5},
	)
	compare(t, s, func() { c.suffer(t, did) },
		comparison{ours: in("ply_containers_memory_wait_seconds_count"), source: "perf's count of mm_vmscan_memcg_reclaim_begin", theirs: perfTracepoint(t, "vmscan/mm_vmscan_memcg_reclaim_begin"), part: 0.9, least: 10},
		comparison{ours: in("ply_containers_memory_wait_seconds_sum"), source: "the time that its processes took", theirs: did.of("seconds"), part: 1e-4, least: 1e-6},
		comparison{ours: in("ply_containers_execs_total"), source: "commands", theirs: did.of("execs"), least: processes},
		comparison{ours: in("ply_containers_fatal_signals_total", "signal", "SIGXCPU"), source: "wait4", theirs: did.of("SIGXCPU"), least: processes / 2},
		comparison{ours: in("ply_containers_fatal_signals_total", "signal", "SIGKILL"), source: "wait4", theirs: did.of("SIGKILL"), least: 2},
		comparison{ours: in("ply_containers_oom_kills_total"), source: "oom_kill of its group", theirs: c.memory.oomKills(), least: 1},
		comparison{ours: ours("ply_containers_oom_kills_total"), source: "oom_kill of /proc/vmstat", theirs: sumOf("/proc/vmstat", "oom_kill"), least: 1},
	)
}

// suffer has processes of the container, and some of none, be killed in several ways.
func (c container) suffer(t *testing.T, did ledger) {
	t.Helper()
	for range processes {
		did.end(t, c.starts(t, exec.Command("sh", "-c", "kill -s XCPU $$")))
	}
	did.end(t, c.starts(t, exec.Command("sh", "-c", "kill -s KILL $$")))
	endProcesses(t, ledger{})
	begin := time.Now()
	did.end(t, c.starts(t, workload("read", c.memory.folder)))
	did.end(t, c.starts(t, workload("allocate", c.memory.folder)))
	did["seconds"] += time.Since(begin).Seconds()
}

// end notes that a command has started, and the signal that it ends by.
func (l ledger) end(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	said, err := cmd.CombinedOutput()
	l["execs"]++
	var ended *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &ended) && ended.Sys().(syscall.WaitStatus).Signaled():
		switch s := ended.Sys().(syscall.WaitStatus).Signal(); s {
		case syscall.SIGKILL:
			l["SIGKILL"]++
		default:
			l[signalName(s)]++
		}
	default:
		t.Fatalf("%v: %v\n%s", cmd.Args, err, said)
	}
}
