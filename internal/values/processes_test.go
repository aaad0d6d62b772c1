package values

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"ply-exporter/internal/need"
)

func TestProcesses(t *testing.T) {
	need.EachKernel(t)
	s := serve(t, load(t, "processes.yaml"))
	did := ledger{}
	threads := perfTracepoint(t, "task/task_newtask")
	compare(t, s, func() { endProcesses(t, did) },
		comparison{ours: ours("ply_processes_tasks_started_total"), source: "processes of /proc/stat", theirs: sumOf("/proc/stat", "processes"), least: processes},
		comparison{ours: ours("ply_processes_tasks_started_total"), source: "perf's count of task_newtask", theirs: threads, least: processes},
		comparison{ours: ours("ply_processes_execs_total"), source: "perf's count of sched_process_exec", theirs: perfTracepoint(t, "sched/sched_process_exec"), least: processes},
		comparison{ours: ours("ply_processes_fatal_signals_total", "signal", "SIGXCPU"), source: "wait4", theirs: did.of("SIGXCPU"), least: processes / 2},
		comparison{ours: ours("ply_processes_fatal_signals_total", "signal", "SIGVTALRM"), source: "wait4", theirs: did.of("SIGVTALRM"), least: processes / 2},
	)
}

// processes is how many endProcesses starts.
const processes = 20

// endProcesses starts processes and has each end by a signal that nothing else
// on the machine sends, some of them with a core dump if they may. It notes as
// what their parent sees them end.
func endProcesses(t *testing.T, did ledger) {
	t.Helper()
	for i := range processes {
		cmd := exec.Command("sh", "-c", "kill -s "+[]string{"XCPU", "VTALRM"}[i%2]+" $$")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		var ended *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &ended) {
			t.Fatalf("%v: %v", cmd.Args, err)
		}
		status := ended.Sys().(syscall.WaitStatus)
		did[signalName(status.Signal())]++
	}
}

func signalName(s syscall.Signal) string {
	switch s {
	case syscall.SIGXCPU:
		return "SIGXCPU"
	case syscall.SIGVTALRM:
		return "SIGVTALRM"
	}
	return strings.ToUpper(s.String())
}
