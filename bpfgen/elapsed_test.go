package bpfgen_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

// A timed is a running script whose clauses ask for elapsed.
type timed struct {
	*tracer.Tracer
	obj *object.Object
	k   *kernel.Kernel
}

// startTimed starts a script; change changes what was compiled before it is
// loaded.
func startTimed(t *testing.T, script string, opt bpfgen.Options, change func(*object.Object)) *timed {
	t.Helper()
	k := running(t)
	opt.Run = true
	script = strings.ReplaceAll(script, "PID", fmt.Sprint(os.Getpid()))
	obj, err := bpfgen.Build(&plylang.Source{Text: script}, k, opt, nil)
	if err != nil {
		t.Fatalf("%s", plylang.Detail(err))
	}
	if change != nil {
		change(obj)
	}
	tr, err := tracer.Start(obj, tracer.Options{Kernel: k})
	if err != nil {
		t.Fatalf("%s", plylang.Detail(err))
	}
	t.Cleanup(func() { tr.Close() })
	return &timed{tr, obj, k}
}

// number returns the value of a map without a key, 0 while it has none.
func (r *timed) number(t *testing.T, name string) (n int64) {
	t.Helper()
	for _, m := range r.obj.Maps {
		if m.Name == name {
			rows, err := r.Rows(m)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				n += m.Read(row.Value).Number.Int()
			}
		}
	}
	return n
}

// entries is how many keys a map has.
func (r *timed) entries(t *testing.T, name string) (n int) {
	t.Helper()
	for _, m := range r.obj.Maps {
		if m.Name == name {
			rows, err := r.Rows(m)
			if err != nil {
				t.Fatal(err)
			}
			n += len(rows)
		}
	}
	return n
}

// missed is how many events the kernel says it skipped.
func (r *timed) missed() (n int) {
	for _, p := range r.Probes() {
		n += int(p.Missed)
	}
	return n
}

// asleep sleeps in ppoll(2), which the Go runtime does not call, and returns what
// the caller's clock says.
func asleep(d time.Duration) time.Duration {
	timeout := unix.NsecToTimespec(int64(d))
	for began := now(); ; {
		if _, err := unix.Ppoll(nil, &timeout, nil); err == nil {
			return now() - began
		}
	}
}

// now is the clock of the kernel's programs.
func now() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// sleepers runs n threads that sleep at the same time, and returns the sum of what
// their clocks say.
func sleepers(n int, d time.Duration) time.Duration {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var sum time.Duration
	for range n {
		wg.Go(func() {
			runtime.LockOSThread() // for good: the thread ends with the goroutine
			took := asleep(d)
			mu.Lock()
			defer mu.Unlock()
			sum += took
		})
	}
	wg.Wait()
	return sum
}

// Each call has its own time: also beside a thousand others that sleep in it, or as
// many as there is room for in the kernel. All of them together are no longer than
// their callers waited, and each is as long as it asked to sleep, but for what the
// clock of programs lags behind that of timers on a machine that updates it late;
// functions that it calls may be called late. What a kernel skips of a tracepoint
// of its own for each system call, it counts.
func TestElapsedOfSleepers(t *testing.T) {
	need.EachArch(t)
	const nap, least = 300 * time.Millisecond, 297 * time.Millisecond
	for _, row := range []struct {
		script  string
		threads int
		plain   bool
		least   time.Duration
		needs   func(testing.TB)
	}{
		{script: "kretprobe:SyS_ppoll", threads: 1000, least: least},
		{script: "kretprobe:SyS_pp*", threads: 100, least: least},
		{script: "tracepoint:syscalls/sys_exit_ppoll", threads: 100, least: least},
		{script: "tracepoint:syscalls/sys_exit_ppoll", threads: 100, least: least, plain: true},
		{script: "kretprobe:schedule_hrtimeout_range", threads: 990, least: nap / 2, needs: need.Kprobes},
	} {
		t.Run(fmt.Sprintf("%s plain=%v", row.script, row.plain), func(t *testing.T) {
			if row.needs != nil {
				row.needs(t)
			}
			r := startTimed(t, row.script+` / pid == PID && elapsed >= 150ms / { @n = count(); @sum = sum(elapsed); @min = min(elapsed); }`,
				bpfgen.Options{PlainAttach: row.plain}, nil)
			sum := sleepers(row.threads, nap)
			n, total, least := r.number(t, "@n"), time.Duration(r.number(t, "@sum")), time.Duration(r.number(t, "@min"))
			if n > int64(row.threads) || n < int64(row.threads) && (!row.plain || n+int64(r.missed()) < int64(row.threads)) {
				t.Errorf("%d of %d calls, %d missed, %d lost", n, row.threads, r.missed(), r.LostBegins())
			}
			if total > sum || least < row.least || total < time.Duration(n)*row.least {
				t.Errorf("%d calls of %v at least took %v, the callers say %v in all", n, least, total, sum)
			}
		})
	}
}

// Threads that share CPUs make short calls: each is counted, and none is longer
// than its caller says.
func TestElapsedOfManyCalls(t *testing.T) {
	need.EachArch(t)
	const each = 5_000
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain=%v", plain), func(t *testing.T) {
			r := startTimed(t, `kretprobe:SyS_getpriority / pid == PID / { @n = count(); @sum[tid] = sum(elapsed); @wrong = sum(elapsed <= 0); }`,
				bpfgen.Options{PlainAttach: plain}, nil)
			var mu sync.Mutex
			var sum time.Duration
			inThreads(func() {
				began := now()
				call(each, unix.SYS_GETPRIORITY, 99, 7, 8)
				took := now() - began
				mu.Lock()
				defer mu.Unlock()
				sum += took
			})
			if n := r.number(t, "@n"); n != threads*each {
				t.Errorf("%d of %d calls, %d missed, %d lost", n, threads*each, r.missed(), r.LostBegins())
			}
			if total := time.Duration(r.number(t, "@sum")); total <= 0 || total > sum {
				t.Errorf("the calls took %v, the callers say %v", total, sum)
			}
			if n := r.number(t, "@wrong"); n != 0 {
				t.Errorf("%d calls took no time", n)
			}
		})
	}
}

// A call that was in flight when the script started is none of its: its clause
// does not run. The next one of the same thread is.
func TestElapsedInFlight(t *testing.T) {
	need.EachKernel(t)
	scripts := []string{"kretprobe:SyS_read", "tracepoint:syscalls/sys_exit_read"}
	if need.HasKprobes() {
		scripts = append(scripts, "kretprobe:vfs_read")
	}
	for _, script := range scripts {
		t.Run(script, func(t *testing.T) {
			var ends [2]int
			if err := unix.Pipe(ends[:]); err != nil {
				t.Fatal(err)
			}
			defer unix.Close(ends[0])
			defer unix.Close(ends[1])
			tids, read := make(chan int), make(chan bool)
			go func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				tids <- unix.Gettid()
				for range 3 {
					_, _ = unix.Read(ends[0], make([]byte, 1))
					read <- true
				}
			}()
			tid := <-tids
			waitAsleep(t, tid)
			r := startTimed(t, fmt.Sprintf(`%s / tid == %d / { @n = count(); @max = max(elapsed); }`, script, tid), bpfgen.Options{}, nil)
			began := now()
			for range 3 {
				if _, err := unix.Write(ends[1], []byte("x")); err != nil {
					t.Fatal(err)
				}
				<-read
			}
			if n, most := r.number(t, "@n"), time.Duration(r.number(t, "@max")); n != 2 || most > now()-began {
				t.Errorf("%d calls of at most %v, want 2 that began after the script did", n, most)
			}
			if n := r.LostBegins(); n != 0 {
				t.Errorf("%d calls are said to be lost", n)
			}
		})
	}
}

// waitAsleep waits until a thread of this process sleeps.
func waitAsleep(t *testing.T, tid int) {
	t.Helper()
	for range 10_000 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stat", tid))
		if err != nil {
			t.Fatal(err)
		}
		if _, after, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(after, "S") {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the thread does not sleep")
}

// A function that calls itself: what wakes a reader of an epoll that waits for
// others. Each call has its own time, of which the outer one's is the longer, and
// they return from the innermost to the outermost.
func TestElapsedNested(t *testing.T) {
	need.Kprobes(t)
	const depth, writes = 3, 200
	r := startTimed(t, `kprobe:SyS_write / pid == PID / { delete last[tid]; }
kretprobe:ep_poll_callback / pid == PID / {
  if (elapsed <= last[tid]) { @wrong = count(); }
  last[tid] = elapsed;
  @n = count();
}`, bpfgen.Options{}, nil)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	event := epollTower(t, depth)
	for range writes {
		if _, err := unix.Write(event, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.number(t, "@n"); n != depth*writes {
		t.Errorf("%d of %d calls, %d missed, %d lost", n, depth*writes, r.missed(), r.LostBegins())
	}
	if n := r.number(t, "@wrong"); n != 0 {
		t.Errorf("%d calls were no longer than one that they made", n)
	}
}

// epollTower returns an event of which an epoll is told, of which another is told,
// and so on.
func epollTower(t *testing.T, depth int) int {
	t.Helper()
	event, err := unix.Eventfd(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(event) })
	below := event
	for range depth {
		above, err := unix.EpollCreate1(0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(above) })
		if err := unix.EpollCtl(above, unix.EPOLL_CTL_ADD, below, &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
			t.Fatal(err)
		}
		below = above
	}
	return event
}

// From 6.18 on one program in a session serves both ends of a call, where the kernel
// has them.
func TestElapsedInSession(t *testing.T) {
	need.KprobeMulti(t)
	need.Kernel(t, "6.18", "sessions without a limit of callers")
	r := startTimed(t, `kretprobe:vfs_@(read|write) { @n = count(); @max = max(elapsed); }`, bpfgen.Options{}, nil)
	if probes := r.Probes(); len(probes) != 1 || probes[0].Attach != string(object.AttachKprobeSession) {
		t.Errorf("attached as %v", probes)
	}
}

// Functions of a glob that call each other, and several clauses at one place. The
// inner one takes less time.
func TestElapsedOfFunctions(t *testing.T) {
	need.Kprobes(t)
	const calls = 200
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := startTimed(t, strings.ReplaceAll(`kretprobe:@(vfs_read|ksys_read) / tid == TID && retval == 4 / { @n = count(); @both = sum(elapsed); }
kretprobe:ksys_read / tid == TID && retval == 4 / { @outer = sum(elapsed); @last = max(elapsed); }
kretprobe:vfs_read / tid == TID && retval == 4 / { @inner = sum(elapsed); }
kretprobe:ksys_read / tid == TID && retval == 4 / { @untimed = count(); }`, "TID", fmt.Sprint(unix.Gettid())), bpfgen.Options{}, nil)
	took := int64(readFours(t, calls))
	both, outer, inner := r.number(t, "@both"), r.number(t, "@outer"), r.number(t, "@inner")
	if n, untimed := r.number(t, "@n"), r.number(t, "@untimed"); n != 2*calls || untimed != calls {
		t.Errorf("%d and %d calls, want %d and %d; %d missed, %d lost", n, untimed, 2*calls, calls, r.missed(), r.LostBegins())
	}
	if both != outer+inner || inner <= 0 || inner >= outer || outer > took {
		t.Errorf("outer %d and inner %d of both %d, in %d", outer, inner, both, took)
	}
}

// A function that leaves by jumping into another one has the same frame as that, as
// a system call's function has. The time of neither is the other's, where the kernel
// tells which of them returns.
func TestElapsedOfTailCalls(t *testing.T) {
	need.Kprobes(t)
	need.Kernel(t, "5.15", "attach cookies")
	const calls, functions = 50, 2
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := startTimed(t, fmt.Sprintf(`kretprobe:@(__*_sys_read|ksys_read) / tid == %d && retval == 4 && elapsed > 0 / { @[func] = count(); @n = count(); }`,
		unix.Gettid()), bpfgen.Options{}, nil)
	readFours(t, calls)
	if found := r.entries(t, "@"); r.number(t, "@n") != functions*calls || found != functions {
		t.Errorf("%d calls of %d functions, want %d each of %d; %d missed, %d lost", r.number(t, "@n"), found, calls, functions, r.missed(), r.LostBegins())
	}
}

// readFours reads four bytes several times, and returns how long that took.
func readFours(t *testing.T, times int) time.Duration {
	t.Helper()
	zero, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer zero.Close()
	began := now()
	for range times {
		if _, err := unix.Read(int(zero.Fd()), make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
	}
	return now() - began
}
