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

// A sleeper is a thread that has slept: how many calls it made for that, and how long
// they took by its own clock.
type sleeper struct {
	tid, calls int
	took       time.Duration
}

// asleep sleeps in ppoll(2), which the Go runtime does not call. A signal of the
// runtime ends a call early; it leaves in timeout what the next one is to sleep, so
// that all of them together are as long as d.
func asleep(d time.Duration) sleeper {
	s := sleeper{tid: unix.Gettid()}
	timeout := unix.NsecToTimespec(int64(d))
	for began := now(); ; {
		s.calls++
		if _, err := unix.Ppoll(nil, &timeout, nil); err == nil {
			s.took = now() - began
			return s
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

// sleepers runs n threads that sleep at the same time.
func sleepers(n int, d time.Duration) []sleeper {
	var wg sync.WaitGroup
	all := make([]sleeper, n)
	for i := range all {
		wg.Go(func() {
			runtime.LockOSThread() // for good: the thread ends with the goroutine
			all[i] = asleep(d)
		})
	}
	wg.Wait()
	return all
}

// many is n on a PC, and less on what is emulated: there it is the code that differs,
// and not how much there is room for.
func many(n int) int {
	if runtime.GOARCH == "amd64" {
		return n
	}
	return n / 10
}

// byThread returns the numbers of a map whose key is a thread.
func (r *timed) byThread(t *testing.T, name string) map[int]int64 {
	t.Helper()
	numbers := map[int]int64{}
	for _, m := range r.obj.Maps {
		if m.Name != name {
			continue
		}
		rows, err := r.Rows(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			numbers[int(m.Split(row.Key)[0].Int())] = m.Read(row.Value).Number.Int()
		}
	}
	return numbers
}

// Each call has its own time: also beside a thousand others that sleep in it, or as
// many as there is room for in the kernel. The calls of a thread are no longer than it
// waited, and no shorter than it asked to sleep, however late it wakes up. What a
// kernel skips of a tracepoint of its own for each system call, it counts.
func TestElapsedOfSleepers(t *testing.T) {
	need.EachArch(t)
	for _, row := range []struct {
		script  string
		threads int
		plain   bool
	}{
		{script: "kretprobe:SyS_ppoll", threads: many(1000)},
		{script: "kretprobe:SyS_pp*", threads: 100},
		{script: "tracepoint:syscalls/sys_exit_ppoll", threads: 100},
		{script: "tracepoint:syscalls/sys_exit_ppoll", threads: 100, plain: true},
	} {
		t.Run(fmt.Sprintf("%s plain=%v", row.script, row.plain), func(t *testing.T) {
			r := startTimed(t, row.script+timeByThread, bpfgen.Options{PlainAttach: row.plain}, nil)
			lost, short := r.compareSleepers(t, sleepers(row.threads, nap), nap-clocksApart)
			if skipped := r.missed(); lost+short > 0 && (!row.plain || max(lost, short) > skipped) {
				t.Errorf("%d calls without a time, %d threads slept too short; %d missed, %d lost", lost, short, skipped, r.LostBegins())
			}
		})
	}
}

// A function that a system call calls begins when the time to sleep already runs: so
// few calls may be short, but each thread has one.
func TestElapsedOfSleepersInside(t *testing.T) {
	need.EachArch(t)
	need.Kprobes(t)
	threads := many(990)
	r := startTimed(t, `kretprobe:schedule_hrtimeout_range / pid == PID / { @n[tid] = max(1); @sum[tid] = sum(elapsed); }`, bpfgen.Options{}, nil)
	slept := sleepers(threads, nap)
	for i := range slept {
		slept[i].calls = 1 // or more: a system call may call it again, or have nothing left to sleep
	}
	if lost, short := r.compareSleepers(t, slept, nap/2); lost > 0 || short > threads/20 {
		t.Errorf("%d calls without a time, %d threads slept too short; %d missed, %d lost", lost, short, r.missed(), r.LostBegins())
	}
}

const (
	nap = 300 * time.Millisecond
	// The clock of programs and that of timers differ by a millionth or so while one
	// of them is corrected.
	clocksApart = time.Millisecond
	// How often, and how long in all, each thread was in a call.
	timeByThread = ` / pid == PID / { @n[tid] = count(); @sum[tid] = sum(elapsed); }`
)

// compareSleepers compares the times of calls with what the threads say that made
// them: none has more calls, or longer ones. It returns how many calls have no time,
// and how many threads less than they slept at least.
func (r *timed) compareSleepers(t *testing.T, slept []sleeper, least time.Duration) (lost, short int) {
	t.Helper()
	calls, sums := r.byThread(t, "@n"), r.byThread(t, "@sum")
	for _, s := range slept {
		n, sum := int(calls[s.tid]), time.Duration(sums[s.tid])
		if n > s.calls || sum > s.took {
			t.Errorf("%d calls of a thread took %v, it says %d took %v", n, sum, s.calls, s.took)
		}
		lost += s.calls - n
		if sum < least {
			short++
		}
	}
	return lost, short
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
			waitBlockedIn(t, fmt.Sprintf("/proc/self/task/%d", tid), unix.SYS_READ)
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

// A function that calls itself: what wakes a reader of an epoll that waits for
// others. Each call has its own time, of which the outer one's is the longer, and
// they return from the innermost to the outermost.
func TestElapsedNested(t *testing.T) {
	need.Kprobes(t)
	const depth, writes = 3, 200
	event := epollTower(t, depth)
	// Go wakes its own poller by such a call, too.
	r := startTimed(t, strings.ReplaceAll(`kprobe:SyS_write / pid == PID && arg0 == EVENT / { writing[tid] = 1; delete last[tid]; }
kretprobe:SyS_write { delete writing[tid]; }
kretprobe:ep_poll_callback / writing[tid] / {
  if (elapsed <= last[tid]) { @wrong = count(); }
  last[tid] = elapsed;
  @n = count();
}`, "EVENT", fmt.Sprint(event)), bpfgen.Options{}, nil)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
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
