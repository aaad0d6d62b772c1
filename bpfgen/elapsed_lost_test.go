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
	"unsafe"

	"github.com/cilium/ebpf"
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

// Threads that end are forgotten: of 200 that made calls at the same time, none is
// left when the kernel has freed them.
func TestElapsedForgetsThreads(t *testing.T) {
	need.EachKernel(t)
	const room, many = 64, 200
	r := startTimed(t, `kretprobe:SyS_getpriority / pid == PID && elapsed > 0 / { @n = count(); }`, bpfgen.Options{}, nil)
	var made sync.WaitGroup
	var ended sync.WaitGroup
	made.Add(many)
	for range many {
		ended.Go(func() {
			runtime.LockOSThread() // for good: the thread ends with the goroutine
			call(1, unix.SYS_GETPRIORITY, 99, 7, 8)
			made.Done()
			made.Wait()
		})
	}
	made.Wait()
	if n, lost := r.number(t, "@n"), r.LostBegins(); n != many || lost != 0 {
		t.Errorf("%d of %d calls, %d lost", n, many, lost)
	}
	ended.Wait()
	for range 1000 {
		if keysOf(t, "ply_tasks") < room {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d threads are remembered", keysOf(t, "ply_tasks"))
}

// keysOf is how many keys the kernel's map of that name has.
func keysOf(t *testing.T, name string) (n int) {
	t.Helper()
	for id, err := ebpf.MapGetNextID(0); err == nil; id, err = ebpf.MapGetNextID(id) {
		m, errOpen := ebpf.NewMapFromID(id)
		if errOpen != nil {
			continue
		}
		if info, err := m.Info(); err == nil && info.Name == name {
			var key, value uint64
			for all := m.Iterate(); all.Next(&key, &value); n++ {
			}
		}
		m.Close()
	}
	return n
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
	waitBlockedIn(t, fmt.Sprintf("/proc/%d", cmd.Process.Pid), unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP)
	_ = cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
	got := []int64{r.number(t, "@slept"), r.number(t, "@long"), r.number(t, "@child"), r.number(t, "@exec")}
	if want := []int64{1, 0, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("slept, too long, children, execs: %v, want %v", got, want)
	}
}

// execInThread in the environment makes a thread of this program that is not its
// first one replace the program.
const execInThread = "PLY_TEST_EXEC_IN_THREAD"

func init() {
	if os.Getenv(execInThread) == "" {
		return
	}
	go func() { // another thread: this one is kept by init
		runtime.LockOSThread()
		err := unix.Exec("/proc/self/exe", []string{"exe", "-test.run=^$"}, nil)
		panic(err)
	}()
	select {}
}

// A thread that execve gives the id of the first one is the same thread.
func TestElapsedOfThreadThatReplaces(t *testing.T) {
	need.EachKernel(t)
	r := startTimed(t, `kretprobe:SyS_execve / ppid == PID && retval == 0 && elapsed > 0 / { @n = count(); }`, bpfgen.Options{}, nil)
	cmd := exec.Command(fmt.Sprintf("/proc/%d/exe", os.Getpid()))
	cmd.Env = []string{execInThread + "=1"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if n := r.number(t, "@n"); n != 2 {
		t.Errorf("%d of 2 execs", n)
	}
}

// A call that seccomp refuses returns without having been entered, and does not get
// the time of one before it.
func TestElapsedOfRefusedCalls(t *testing.T) {
	need.EachKernel(t)
	const calls = 5
	r := startTimed(t, `kretprobe:SyS_getpriority / pid == PID && elapsed > 0 / { @timed = count(); }
kretprobe:SyS_getpriority / pid == PID / { @all = count(); }`, bpfgen.Options{}, nil)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		call(calls, unix.SYS_GETPRIORITY, 99, 7, 8)
		err := refuse(unix.SYS_GETPRIORITY)
		call(calls, unix.SYS_GETPRIORITY, 99, 7, 8)
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if timed, all := r.number(t, "@timed"), r.number(t, "@all"); timed != calls || all != 2*calls {
		t.Errorf("%d timed of %d returns, want %d of %d", timed, all, calls, 2*calls)
	}
}

// Nor does it get the time of one before it that returned when the thread had nothing
// that the script asks for.
func TestElapsedOfRefusedCallWithNothing(t *testing.T) {
	need.OldAndNew(t)
	r := startTimed(t, `kprobe:SyS_getppid / pid == PID / { v[curtask] = 1; }
kretprobe:SyS_getpriority / v[curtask] && elapsed > 0 / { @timed = count(); delete v[curtask]; }`, programsRead, nil)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		call(1, unix.SYS_GETPPID)
		call(3, unix.SYS_GETPRIORITY, 99, 7, 8) // the first one is timed
		call(1, unix.SYS_GETPPID)
		err := refuse(unix.SYS_GETPRIORITY)
		call(3, unix.SYS_GETPRIORITY, 99, 7, 8)
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := r.number(t, "@timed"); n != 1 {
		t.Errorf("%d calls are timed, want 1", n)
	}
}

// refuse makes seccomp refuse a call of this thread from now on.
func refuse(nr uint32) error {
	const load, equal, give = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	code := []unix.SockFilter{
		{Code: load}, // the number of the call
		{Code: equal, K: nr, Jf: 1},
		{Code: give, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: give, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	filter := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&filter)), 0, 0)
}

// waitBlockedIn waits until a task, by its folder in /proc, sleeps in one of these system calls.
func waitBlockedIn(t *testing.T, task string, calls ...int) {
	t.Helper()
	for range 10_000 {
		where, err := os.ReadFile(task + "/syscall")
		var nr int
		if _, scan := fmt.Sscan(string(where), &nr); err == nil && scan == nil && slices.Contains(calls, nr) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%s is in none of the system calls %v", task, calls)
}
