package cli

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"ply-exporter/internal/need"
)

// inPIDNamespace is the command in a PID namespace of its own, not started.
func inPIDNamespace(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := plyCommand(context.Background(), args...)
	cmd.Args = append([]string{"unshare", "-p", "-f", "--mount-proc"}, cmd.Args...)
	cmd.Path = need.Command(t, "unshare")
	return cmd
}

// In a PID namespace, IDs are those of the namespace, as $target is; the tasks
// outside, here the loop, and the idle task have none.
func TestPIDNamespace(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	outside := exec.Command("sh", "-c", "while :; do cd /; done")
	if err := outside.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = outside.Process.Kill(); _ = outside.Wait() }()
	const script = `
		kprobe:SyS_exit_group / pid == $target / {
			@target = count(); @thread[tid == pid] = count(); @child[ppid < 10 && ppid > 0 && ppid != pid] = count();
		}
		kprobe:SyS_exit_group / ppid == $target / { @grandchildren = count(); }
		BEGIN { @self[pid, ppid] = count(); }
		kprobe:SyS_chdir / comm == "sh" / { @outside[pid, tid, ppid] = count(); }`
	out, err := inPIDNamespace(t, "run", "-c", "(exit 0); (exit 0); sleep 0.3; exit 0", script).CombinedOutput()
	text := strings.Join(strings.Fields(string(out)), " ")
	for _, want := range []string{"@target: 1 ", "@thread: 1 1 ", "@child: 1 1 ", "@grandchildren: 3 ", "@self: [ 1, 0 ] 1 ", "@outside: [ 0, 0, 0 ] "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if err != nil || t.Failed() {
		t.Errorf("%v\n%s", err, out)
	}
}

// Calls of several tasks outside, which have no ID here, are each measured while
// the others' are under way.
func TestServeInPIDNamespaceTellsTasksApart(t *testing.T) {
	need.BPF(t)
	s := &server{address: freeAddress(t), log: writeFile(t, "log", "")}
	s.cmd = inPIDNamespace(t, "--config", "../configs/sync.yaml", "--allow-writable", "--web.listen-address", s.address)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // unshare does not pass signals on
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGTERM); _ = s.cmd.Wait() })
	s.waitReady(t)
	const tasks, calls = 8, 25
	var all sync.WaitGroup
	for i := range tasks {
		all.Go(func() { syncFile(t, filepath.Join(t.TempDir(), strconv.Itoa(i)), calls) })
	}
	all.Wait()
	_, text := s.get(t, "/metrics")
	got := regexp.MustCompile(`ply_sync_latency_seconds_count{operation="fsync"} (\d+)`).FindStringSubmatch(text)
	if got == nil {
		t.Fatalf("no fsync in\n%s", text)
	}
	if n, err := strconv.Atoi(got[1]); err != nil || n < tasks*calls {
		t.Errorf("%s calls, want %d", got[1], tasks*calls)
	}
}

// syncFile writes a file and waits until the disk has it, n times.
func syncFile(t *testing.T, name string, n int) {
	file, err := os.Create(name)
	if err != nil {
		t.Error(err)
		return
	}
	defer file.Close()
	for range n {
		if _, err := file.Write(make([]byte, 4096)); err != nil {
			t.Error(err)
		}
		if err := file.Sync(); err != nil {
			t.Error(err)
		}
	}
}

// The exporter says that it is in a PID namespace, before anything else can
// fail.
func TestServeNamesItsPIDNamespace(t *testing.T) {
	need.Root(t)
	k, err := openKernel()
	if err != nil {
		t.Fatal(err)
	}
	_, here := k.PIDNamespace()
	args := []string{"serve", "--web.telemetry-path=none"}
	for want, cmd := range map[bool]*exec.Cmd{true: inPIDNamespace(t, args...), here: plyCommand(context.Background(), args...)} {
		out, _ := cmd.CombinedOutput()
		if got := strings.Contains(string(out), "running in a PID namespace"); got != want || !strings.Contains(string(out), "--web.telemetry-path") {
			t.Errorf("said: %v, want %v\n%s", got, want, out)
		}
	}
}
