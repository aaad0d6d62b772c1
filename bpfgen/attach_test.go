package bpfgen_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
	"ply-exporter/tracer/decode"
)

// Scripts attached to the running kernel. Each row is a script, something that
// makes its probes fire, and what is in its maps then, a line for each key.
// PID stands for this process and NR for the number of getpriority(2), which
// nobody else calls; a workload is tied to one thread.

// running returns the running kernel, whose features are found by trying. All
// tests share what was read of it: to read its types takes long in emulation.
func running(t testing.TB) *kernel.Kernel {
	t.Helper()
	need.EachArch(t)
	need.BPF(t)
	k, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var shared = sync.OnceValues(readKernel)

// readKernel is running for a kernel that has changed since.
func readKernel() (*kernel.Kernel, error) {
	k, err := kernel.Running()
	if err == nil {
		tracer.Detect(k)
	}
	return k, err
}

// trace runs a script while work does something, and returns its maps.
func trace(t testing.TB, k *kernel.Kernel, script string, opt bpfgen.Options, work func()) string {
	t.Helper()
	text, _ := traceMissing(t, k, script, opt, work)
	return text
}

// traceMissing is trace, and returns how many events the kernel says were
// missed.
func traceMissing(t testing.TB, k *kernel.Kernel, script string, opt bpfgen.Options, work func()) (text string, missed int) {
	t.Helper()
	script = strings.NewReplacer("PID", fmt.Sprint(os.Getpid()), "NR", fmt.Sprint(unix.SYS_GETPRIORITY)).Replace(script)
	opt.Run = true
	obj, err := bpfgen.Build(&plylang.Source{Text: script}, k, opt, nil)
	if err != nil {
		t.Fatalf("%s", plylang.Detail(err))
	}
	tr, err := tracer.Start(obj, tracer.Options{Kernel: k})
	if err != nil {
		t.Fatalf("%s", plylang.Detail(err))
	}
	defer tr.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	work()
	for _, p := range tr.Probes() {
		missed += int(p.Missed)
	}
	return mapsText(t, k, tr, obj), missed
}

// mapsText is a line for each key of each map: "@m[a, b] 3". Values are their
// first word.
func mapsText(t testing.TB, k *kernel.Kernel, tr *tracer.Tracer, obj *object.Object) string {
	t.Helper()
	d := decode.New(decode.NewMachine(k), obj.Probes, tr)
	var lines []string
	for _, m := range obj.Maps {
		rows, err := tr.Rows(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			var keys []string
			for _, v := range m.Split(r.Key) {
				keys = append(keys, d.Text(v))
			}
			line := m.Name
			if len(keys) > 0 {
				line += "[" + strings.Join(keys, ", ") + "]"
			}
			lines = append(lines, fmt.Sprintf("%s %d", line, int64(object.Word(r.Value, 0))))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// call makes a system call n times.
func call(n int, nr uintptr, args ...uintptr) {
	var a [3]uintptr
	copy(a[:], args)
	for range n {
		unix.RawSyscall(nr, a[0], a[1], a[2])
	}
}

func TestAttachedTracepoints(t *testing.T) {
	k := running(t)
	for _, row := range []struct {
		script string
		work   func()
		want   string
	}{
		{ // a field of the record
			`tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == NR/ { @[data->id] = count(); }`,
			func() { call(70, unix.SYS_GETPRIORITY) },
			fmt.Sprintf("@[%d] 70", unix.SYS_GETPRIORITY),
		},
		{ // an int in a slot of 8 bytes is widened by its sign
			`tracepoint:syscalls/sys_enter_getpriority /pid == PID/ { @[data->which, args->who, data->common_pid == tid] = count(); }`,
			func() { call(3, unix.SYS_GETPRIORITY, ^uintptr(0), 7) },
			"@[-1, 7, 1] 3",
		},
		{ // an element of an array, by a constant and by a variable
			`tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == NR/ { i = data->args[0]; @[data->args[1], data->args[i]] = count(); }`,
			func() { call(2, unix.SYS_GETPRIORITY, 2, 41, 42) },
			"@[41, 42] 2",
		},
		{ // one program for several sites tells which fired
			`tracepoint:syscalls/sys_@(enter|exit)_getpriority /pid == PID/ { @[probe] = count(); }`,
			func() { call(5, unix.SYS_GETPRIORITY) },
			"@[tracepoint:syscalls/sys_enter_getpriority] 5\n@[tracepoint:syscalls/sys_exit_getpriority] 5",
		},
		{ // text that the record refers to, as a path of 2017 spelled it too
			`trace:sched:sched_process_exec /filename == "/proc/PID/exe"/ { @[filename, strlen(filename)] = count(); }`,
			func() { run(t) },
			fmt.Sprintf("@[/proc/%[1]d/exe, %[2]d] 1", os.Getpid(), len(fmt.Sprint(os.Getpid()))+10),
		},
		{ // two clauses at one site
			`t:syscalls/sys_enter_getpriority /pid == PID/ { @a = count(); } trace:syscalls:sys_enter_getpriority /pid == PID/ { @b = count(); }`,
			func() { call(4, unix.SYS_GETPRIORITY) },
			"@a 4\n@b 4",
		},
	} {
		t.Run(row.script, func(t *testing.T) {
			if got := trace(t, k, row.script, bpfgen.Options{}, row.work); got != row.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, row.want)
			}
		})
	}
}

// childReturns is what a new child adds to @raw: on arm64 it enters user mode
// past the tracepoint.
func childReturns() string {
	if runtime.GOARCH == "arm64" {
		return ""
	}
	return "@raw 1"
}

func TestAttachedSyscalls(t *testing.T) {
	k := running(t)
	for _, row := range []struct {
		script string
		work   func()
		want   string
	}{
		{ // both of the old names, and the number shown as a name
			`kprobe:SyS_getpriority /pid == PID/ { @[func, probe] = count(); } kprobe:sys_getpriority /pid == PID/ { @b[caller] = count(); }`,
			func() { call(70, unix.SYS_GETPRIORITY) },
			"@[sys_getpriority, kprobe:sys_getpriority] 70\n@b[sys_getpriority] 70",
		},
		{ // a glob; the call's own arguments; numbers that no call has
			`kprobe:SyS_@(get|set)priority /pid == PID/ { @[func, arg0, arg(2), (u32)arg1] = count(); }`,
			func() {
				call(3, unix.SYS_GETPRIORITY, 1, 2, 3)
				call(4, unix.SYS_SETPRIORITY, 9, 8, 7)
				call(5, 9999, 1, 2, 3)
				call(6, ^uintptr(0), 1, 2, 3)
			},
			"@[sys_getpriority, 1, 3, 2] 3\n@[sys_setpriority, 9, 7, 8] 4",
		},
		{ // declared arguments of a single call
			`kprobe:sys_getpriority /pid == PID/ { @[args->which, args->who] = count(); }`,
			func() { call(2, unix.SYS_GETPRIORITY, ^uintptr(0), 5) },
			"@[-1, 5] 2",
		},
		{ // results, negative ones too
			`kretprobe:SyS_@(g|s)etpriority /pid == PID/ { @[func, retval, probe] = count(); }`,
			func() {
				call(3, unix.SYS_GETPRIORITY, 99)
				call(2, unix.SYS_SETPRIORITY, 99)
			},
			"@[sys_getpriority, -22, kretprobe:sys_getpriority] 3\n@[sys_setpriority, -22, kretprobe:sys_setpriority] 2",
		},
		{ // text in the caller's memory
			`kprobe:sys_unlinkat /pid == PID/ { @[str(arg1)] = count(); }`,
			func() {
				for range 3 {
					unix.Unlink("/no/such/file")
				}
			},
			"@[/no/such/file] 3",
		},
		{ // the call's name and its function's, of which there is one
			`kprobe:sys_uname /pid == PID/ { @a[func] = count(); } kprobe:sys_newuname /pid == PID/ { @b[func] = count(); }`,
			func() { call(4, unix.SYS_UNAME) },
			"@a[sys_uname] 4\n@b[sys_uname] 4",
		},
		{ // a new child comes out of its parent's call with 0, which is not its own
			fmt.Sprintf(`kretprobe:sys_@(clone|clone3|fork|vfork) /retval == 0/ { @ = count(); }
				tracepoint:raw_syscalls/sys_exit /data->ret == 0 && (data->id == %d || data->id == %d)/ { @raw = 1; }`,
				unix.SYS_CLONE, unix.SYS_CLONE3),
			func() { run(t) },
			childReturns(),
		},
	} {
		t.Run(row.script, func(t *testing.T) {
			if got := trace(t, k, row.script, bpfgen.Options{}, row.work); got != row.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, row.want)
			}
		})
	}
}

// newCalls makes seven calls of fchroot(2), five of a number that no kernel has a
// call for yet, and some of numbers that are none.
func newCalls() {
	call(7, fchroot, ^uintptr(0), 1, 4711)
	call(5, 500, 1, 2, 4711)
	call(3, 600, 1, 2, 4711)
	call(2, 0x40000000|500, 1, 2, 4711)
}

const fchroot = 472

// Calls that came after golang.org/x/sys have names where the kernel has them, and
// what has none counts by its number.
func TestAttachedNewSyscalls(t *testing.T) {
	k := running(t)
	named, err := k.Tracepoints("syscalls", "sys_enter_fchroot")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ script, want string }{
		{`kprobe:SyS_* /pid == PID && arg2 == 4711/ { @[func, syscall(func), probe] = count(); }`,
			"@[sys_500, sys_500, kprobe:sys_500] 5\n@[sys_fchroot, fchroot, kprobe:sys_fchroot] 7"},
		{`kretprobe:SyS_* /pid == PID && (func == 472 || func == 500)/ { @[func, syscall(func), probe] = count(); }`,
			"@[sys_500, sys_500, kretprobe:sys_500] 5\n@[sys_fchroot, fchroot, kretprobe:sys_fchroot] 7"},
		{`kprobe:sys_500 /pid == PID && arg2 == 4711/ { @[func, probe] = count(); }`, "@[sys_500, kprobe:sys_500] 5"},
		{`kretprobe:SyS_5?? /pid == PID/ { @[func, retval] = count(); }`, "@[sys_500, -38] 5"},
	} {
		t.Run(row.script, func(t *testing.T) {
			want := row.want
			if len(named) == 0 {
				want, _, _ = strings.Cut(want, "\n")
			}
			if got := trace(t, k, row.script, bpfgen.Options{}, newCalls); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// A new call by its name has arguments with names, or is not there.
func TestAttachedFchroot(t *testing.T) {
	k := running(t)
	const script = `kprobe:SyS_fchroot /pid == PID/ { @[args->fd, args->flags] = count(); }`
	if named, err := k.Tracepoints("syscalls", "sys_enter_fchroot"); err != nil || len(named) == 0 {
		_, err := bpfgen.Build(&plylang.Source{Text: script}, k, bpfgen.Options{Run: true}, nil)
		if !errors.Is(err, plylang.ErrMissing) {
			t.Errorf("a call that this kernel does not have: %v", err)
		}
		return
	}
	if got := trace(t, k, script, bpfgen.Options{}, newCalls); got != "@[-1, 1] 7" {
		t.Errorf("got %s", got)
	}
}

// Functions of the kernel. The same scripts run where several functions share a
// link, where each has its own, and where a program serves one function only.
func TestAttachedFunctions(t *testing.T) {
	need.EachArch(t)
	need.Kprobes(t)
	k := running(t)
	wrapper, ok := k.SyscallFunction(syscallNamed(t, k, "getpriority"))
	if !ok {
		t.Fatal("no function for getpriority")
	}
	priority := func() { call(50, unix.SYS_GETPRIORITY, 99) }
	read := func() { readZero(t, 7, 4096) }
	for _, row := range []struct {
		script string
		work   func()
		want   string
	}{
		{`kprobe:WRAPPER /pid == PID/ { @[func, caller] = count(); }`, priority, "@[WRAPPER, WRAPPER] 50"},
		{`kretprobe:WRAPPER /pid == PID/ { @[func, retval] = count(); }`, priority, "@[WRAPPER, -22] 50"},
		{`kprobe:vfs_read /pid == PID && arg2 == 4096/ { @[arg2, args->count] = count(); }`, read, "@[4096, 4096] 7"},
		{`kretprobe:vfs_read /pid == PID && retval == 4096/ { @ = sum(retval); }`, read, "@ 28672"},
		{`kprobe:vfs_@(read|write) /pid == PID && arg2 == 4096/ { @[func, probe] = count(); }`, read, "@[vfs_read, kprobe:vfs_read] 7"},
		{`kretprobe:vfs_@(read|write) /pid == PID && retval == 4096/ { @[func, probe] = count(); }`, read, "@[vfs_read, kretprobe:vfs_read] 7"},
		{`kprobe:vfs_read /pid == PID && arg2 == 4096/ { @a = count(); } k:vfs_read /pid == PID && arg2 == 4096/ { @b = count(); }`, read, "@a 7\n@b 7"},
		{`kprobe:vfs_read /pid == PID && reg("REG2") == 4096/ { @ = count(); }`, read, "@ 7"},
		{`kprobe:vfs_read /pid == PID && arg2 == 4096/ { @[args->file->f_flags & 3] = count(); }`, read, "@[0] 7"},
	} {
		for _, plain := range []bool{false, true} {
			replace := strings.NewReplacer("WRAPPER", wrapper, "REG2", k.Arch().Args[2])
			t.Run(fmt.Sprintf("%s plain=%v", row.script, plain), func(t *testing.T) {
				got := trace(t, k, replace.Replace(row.script), bpfgen.Options{PlainAttach: plain}, row.work)
				if want := replace.Replace(row.want); got != want {
					t.Errorf("got:\n%s\nwant:\n%s", got, want)
				}
			})
		}
	}
}

// System calls by way of their functions count what raw_syscalls counts.
func TestAttachedWrappers(t *testing.T) {
	need.EachArch(t)
	need.Kprobes(t)
	k := running(t)
	work := func() {
		call(30, unix.SYS_GETPRIORITY, 99, 1, 2)
		call(20, unix.SYS_SETPRIORITY, 99, 3, 4)
	}
	for _, row := range []struct{ script, want string }{
		{`kprobe:sys_getpriority /pid == PID/ { @[func, arg0, arg1, arg2, probe] = count(); }`,
			"@[sys_getpriority, 99, 1, 2, kprobe:sys_getpriority] 30"},
		{`kprobe:SyS_?etpriority /pid == PID/ { @[func, arg1, probe] = count(); }`,
			"@[sys_getpriority, 1, kprobe:sys_getpriority] 30\n@[sys_setpriority, 3, kprobe:sys_setpriority] 20"},
		{`kretprobe:SyS_?etpriority /pid == PID/ { @[func, retval] = count(); }`,
			"@[sys_getpriority, -22] 30\n@[sys_setpriority, -22] 20"},
	} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s plain=%v", row.script, plain), func(t *testing.T) {
				if got := trace(t, k, row.script, bpfgen.Options{PlainAttach: plain}, work); got != row.want {
					t.Errorf("got:\n%s\nwant:\n%s", got, row.want)
				}
			})
		}
	}
}

func syscallNamed(t testing.TB, k *kernel.Kernel, name string) kernel.Syscall {
	t.Helper()
	number, ok := k.Arch().SyscallNumber(name)
	if !ok {
		t.Fatalf("no system call %s", name)
	}
	call, _ := k.Arch().Syscall(number)
	return call
}

// readZero reads size bytes n times.
func readZero(t testing.TB, n, size int) {
	t.Helper()
	f, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	buf := make([]byte, size)
	for range n {
		if _, err := f.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
}

// A tracepoint whose record nobody reads counts the same, raw or not.
func TestAttachedRaw(t *testing.T) {
	k := running(t)
	for _, row := range []struct {
		script string
		work   func()
		want   string
	}{
		{`tracepoint:task/task_rename /tid == TID/ { @ = count(); }`, func() { rename(t, 50) }, "@ 50"},
		{`rawtracepoint:sys_enter /pid == PID && arg1 == NR/ { @[probe] = count(); }`,
			func() { call(50, unix.SYS_GETPRIORITY) }, "@[rawtracepoint:sys_enter] 50"},
		{`tracepoint:syscalls/sys_@(enter|exit)_@(getpriority|setpriority|getsid) /pid == PID && data->common_pid == TID/ { @[probe, data->__syscall_nr] = count(); }`,
			func() { call(20, unix.SYS_GETPRIORITY, 99); call(10, unix.SYS_SETPRIORITY, 99) },
			fmt.Sprintf("@[tracepoint:syscalls/sys_enter_getpriority, %[1]d] 20\n@[tracepoint:syscalls/sys_enter_setpriority, %[2]d] 10\n"+
				"@[tracepoint:syscalls/sys_exit_getpriority, %[1]d] 20\n@[tracepoint:syscalls/sys_exit_setpriority, %[2]d] 10",
				unix.SYS_GETPRIORITY, unix.SYS_SETPRIORITY)},
	} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s plain=%v", row.script, plain), func(t *testing.T) {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				script := strings.NewReplacer("TID", fmt.Sprint(unix.Gettid()), "NR", fmt.Sprint(unix.SYS_GETPRIORITY)).Replace(row.script)
				if got := trace(t, k, script, bpfgen.Options{PlainAttach: plain}, row.work); got != row.want {
					t.Errorf("got:\n%s\nwant:\n%s", got, row.want)
				}
			})
		}
	}
}

// rename gives this thread its name n times.
func rename(t testing.TB, n int) {
	t.Helper()
	text, err := unix.BytePtrFromString(threadName(t))
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(text)), 0, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// Every page fault counts. The test's own code may take one or two more.
func TestAttachedFaults(t *testing.T) {
	k := running(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	script := fmt.Sprintf(`software:minor-faults:1 /tid == %d/ { @ = count(); }`, unix.Gettid())
	got, n := trace(t, k, script, bpfgen.Options{}, func() { touch(t, 300) }), 0
	if _, err := fmt.Sscanf(got, "@ %d", &n); err != nil || n < 300 || n > 310 {
		t.Errorf("got %s, want about 300", got)
	}
}

// touch takes n page faults.
func touch(t testing.TB, n int) {
	t.Helper()
	page := os.Getpagesize()
	mem, err := unix.Mmap(-1, 0, n*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	if err := unix.Madvise(mem, unix.MADV_NOHUGEPAGE); err != nil && err != unix.EINVAL {
		t.Fatal(err)
	}
	for i := range n {
		mem[i*page] = 1
	}
}

// Some kernels do not sample a CPU that has nothing to do, so all have.
func TestAttachedTimers(t *testing.T) {
	k := running(t)
	last := runtime.NumCPU() - 1
	script := fmt.Sprintf(`profile:997hz { @p[cpu] = count(); } profile:%d:499hz { @one[cpu] = count(); } interval:10ms { @i = count(); }`, last)
	got := trace(t, k, script, bpfgen.Options{}, func() { keepBusy(t, 300*time.Millisecond) })
	for _, want := range []string{"@i ", "@one[", fmt.Sprintf("@one[%d] ", last), "@p[0] ", fmt.Sprintf("@p[%d] ", last)} {
		if strings.Count(got, want) != 1 {
			t.Errorf("not one %q in:\n%s", want, got)
		}
	}
}

// keepBusy has a thread on each CPU compute for so long.
func keepBusy(t testing.TB, d time.Duration) {
	t.Helper()
	var all sync.WaitGroup
	for cpu := range runtime.NumCPU() {
		all.Go(func() {
			runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
			var set unix.CPUSet
			set.Set(cpu)
			if err := unix.SchedSetaffinity(0, &set); err != nil {
				t.Error(err)
			}
			for end := time.Now().Add(d); time.Now().Before(end); {
			}
		})
	}
	all.Wait()
}

// run starts this program once more, to do nothing, and waits for its end.
func run(t testing.TB) {
	t.Helper()
	p, err := os.StartProcess(fmt.Sprintf("/proc/%d/exe", os.Getpid()), []string{"exe", "-test.run=^$"}, &os.ProcAttr{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
}
