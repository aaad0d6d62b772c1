package bpfgen_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// Calls without a beginning, and threads that end.

// When the map of beginnings is full, the calls that it has no room for are
// counted as lost, and nothing else is.
func TestElapsedFull(t *testing.T) {
	need.EachKernel(t)
	r := startTimed(t, `kretprobe:SyS_getpriority / pid == PID && elapsed > 0 / { @n = count(); }`, bpfgen.Options{}, func(o *object.Object) {
		o.Spec.Maps["ply_tasks"].MaxEntries = 2
	})
	const each = 100
	var all sync.WaitGroup // so that no two of the work are of one thread
	all.Add(threads)
	inThreads(func() {
		all.Done()
		all.Wait()
		call(each, unix.SYS_GETPRIORITY, 99, 7, 8)
	})
	n, lost := r.number(t, "@n"), int64(r.LostBegins())
	if n+lost != threads*each || n == 0 || lost == 0 {
		t.Errorf("%d calls and %d lost, want some of both and %d in all", n, lost, threads*each)
	}
}

// Threads that end are forgotten: there is room for 64, and 400 come and go.
func TestElapsedForgetsThreads(t *testing.T) {
	need.EachKernel(t)
	r := startTimed(t, `kretprobe:SyS_getpriority / pid == PID && elapsed > 0 / { @n = count(); }`, bpfgen.Options{}, func(o *object.Object) {
		o.Spec.Maps["ply_tasks"].MaxEntries = 64
	})
	const batches, batch = 50, 8
	for range batches {
		var wg sync.WaitGroup
		for range batch {
			wg.Go(func() {
				runtime.LockOSThread() // for good: the thread ends with the goroutine
				call(1, unix.SYS_GETPRIORITY, 99, 7, 8)
			})
		}
		wg.Wait()
		waitThreads(t)
	}
	if n, lost := r.number(t, "@n"), r.LostBegins(); n != batches*batch || lost != 0 {
		t.Errorf("%d of %d calls, %d lost", n, batches*batch, lost)
	}
}

// waitThreads waits until few threads of this process are left, and until the
// kernel has freed what ended.
func waitThreads(t *testing.T) {
	t.Helper()
	for range 10_000 {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		if len(tasks) < 24 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for range 3 {
		if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, 1, 0, 0); errno != 0 { // MEMBARRIER_CMD_GLOBAL
			t.Fatal(errno)
		}
	}
}

// A thread that is killed in a call returns from it first; a new child returns
// from a call that it has not made; execve returns in its caller.
func TestElapsedOfProcesses(t *testing.T) {
	need.EachKernel(t)
	r := startTimed(t, `kretprobe:SyS_@(nanosleep|clock_nanosleep) / comm == "elapsed-sleep" / { @slept = count(); @long = sum(elapsed > 10m); }
tracepoint:syscalls/sys_exit_@(clone|clone3|vfork|fork) / ppid == PID && elapsed >= 0 / { @child = count(); }
kretprobe:SyS_execve / ppid == PID && retval == 0 && elapsed > 0 / { @exec = count(); }`, bpfgen.Options{}, nil)
	sleep := filepath.Join(t.TempDir(), "elapsed-sleep")
	text, err := os.ReadFile("/bin/sleep")
	if err != nil {
		text, err = os.ReadFile("/bin/busybox")
	}
	if err != nil {
		t.Skip("needs the command sleep")
	}
	if err := os.WriteFile(sleep, text, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := &exec.Cmd{Path: sleep, Args: []string{"sleep", "1000"}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitAsleepIn(t, cmd.Process.Pid)
	_ = cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
	got := []int64{r.number(t, "@slept"), r.number(t, "@long"), r.number(t, "@child"), r.number(t, "@exec")}
	if want := []int64{1, 0, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("slept, too long, children, execs: %v, want %v", got, want)
	}
}

// waitAsleepIn waits until a process sleeps for a time.
func waitAsleepIn(t *testing.T, pid int) {
	t.Helper()
	for range 10_000 {
		where, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
		var nr int
		if _, scan := fmt.Sscan(string(where), &nr); err == nil && scan == nil && (nr == unix.SYS_NANOSLEEP || nr == unix.SYS_CLOCK_NANOSLEEP) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the process does not sleep")
}
