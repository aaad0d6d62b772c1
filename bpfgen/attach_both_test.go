package bpfgen_test

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/internal/need"
)

// threads is how many threads a workload has: several on each CPU.
const threads = 6

// inThreads runs work in several threads at once.
func inThreads(work func()) {
	var all sync.WaitGroup
	for range threads {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			work()
		})
	}
	all.Wait()
}

// Every event of threads that share CPUs counts. Attached plainly, some kernels
// skip events of syscalls/*, and tell how many.
func TestAttachedExactly(t *testing.T) {
	need.EachKernel(t)
	k := running(t)
	const each = 20_000
	work := func() { inThreads(func() { call(each, unix.SYS_GETPRIORITY, 99, 7, 8) }) }
	for _, row := range []struct{ script, want string }{
		{`kprobe:SyS_getpriority /pid == PID/ { @[arg0, arg1, arg2] = count(); }`, "@[99, 7, 8] %d"},
		{`kprobe:SyS_?etpriority /pid == PID/ { @[func, probe] = count(); }`, "@[sys_getpriority, kprobe:sys_getpriority] %d"},
		{`kretprobe:SyS_?etpriority /pid == PID/ { @[func, retval] = count(); }`, "@[sys_getpriority, -22] %d"},
		{`tracepoint:syscalls/sys_enter_getpriority /pid == PID/ { @[data->which, data->__syscall_nr == NR] = count(); }`, "@[99, 1] %d"},
		{`tracepoint:syscalls/sys_exit_?etpriority /pid == PID/ { @[data->ret] = count(); }`, "@[-22] %d"},
		{`tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == NR/ { @[data->id == NR] = count(); }`, "@[1] %d"},
	} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s plain=%v", row.script, plain), func(t *testing.T) {
				got, missed := traceMissing(t, k, row.script, bpfgen.Options{PlainAttach: plain}, work)
				n := 0
				want := strings.TrimSuffix(row.want, "%d")
				if _, err := fmt.Sscan(strings.TrimPrefix(got, want), &n); err != nil {
					t.Fatalf("got:\n%s\nwant:\n%s", got, row.want)
				}
				if skips := plain && strings.Contains(row.script, "syscalls/"); n != threads*each && (!skips || n > threads*each || n+missed < threads*each) {
					t.Errorf("counted %d of %d, %d missed", n, threads*each, missed)
				}
			})
		}
	}
}

// Fields have the same values with a record and without.
func TestAttachedFields(t *testing.T) {
	k := running(t)
	nap := func() {
		for range 5 {
			time.Sleep(2 * time.Millisecond)
			unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
		}
	}
	for _, row := range []struct {
		script string
		work   func()
		want   string
	}{
		{`tracepoint:sched/sched_switch /data->prev_pid == TID/ { @[data->prev_comm, data->prev_prio >= 100, tid == data->common_pid] = 1; }`, nap, "@[bpfgen.test, 1, 1] 1"},
		{`tracepoint:sched/sched_switch /data->next_pid == TID/ { @[data->next_comm == "bpfgen.test", data->next_prio >= 100] = 1; }`, nap, "@[1, 1] 1"},
		{`tracepoint:sched/sched_wakeup /data->pid == TID/ { @[data->comm, data->prio >= 100] = 1; }`, nap, "@[bpfgen.test, 1] 1"},
		{`tracepoint:irq/softirq_@(entry|exit) { @[data->vec < 10] = 1; }`, func() { sendPacket(t) }, "@[1] 1"},
		{`tracepoint:task/task_newtask /pid == PID && (data->clone_flags & 0x10000) == 0/ { @[data->pid != pid] = 1; }`, func() { run(t) }, "@[1] 1"},
		{`tracepoint:sched/sched_process_exit /pid != PID && ppid == PID && pid == tid/ { @[data->pid == tid, data->comm == comm, data->prio >= 100] = 1; }`, func() { run(t) }, "@[1, 1, 1] 1"},
	} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s plain=%v", row.script, plain), func(t *testing.T) {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				script := strings.NewReplacer("TID", fmt.Sprint(unix.Gettid()), "bpfgen.test", threadName(t)).Replace(row.script)
				want := strings.ReplaceAll(row.want, "bpfgen.test", threadName(t))
				if got := trace(t, k, script, bpfgen.Options{PlainAttach: plain}, row.work); got != want {
					t.Errorf("got:\n%s\nwant:\n%s", got, want)
				}
			})
		}
	}
}

// sendPacket sends a packet to itself, which takes a softirq.
func sendPacket(t testing.TB) {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.WriteTo([]byte("x"), c.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.ReadFrom(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// threadName is what the kernel calls this thread.
func threadName(t testing.TB) string {
	t.Helper()
	name, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/comm", unix.Gettid()))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(name))
}
