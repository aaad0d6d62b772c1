package bpfgen_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/internal/need"
)

// What programs at fentry and fexit see is what kprobes see, and the arguments beside
// the result. The kernels differ in which pointers they let programs load.
func TestAttachedFentry(t *testing.T) {
	need.EachArch(t)
	need.Kprobes(t)
	k := running(t)
	wrapper, ok := k.SyscallFunction(syscallNamed(t, k, "getpriority"))
	if !ok {
		t.Fatal("no function for getpriority")
	}
	priority := func() { call(50, unix.SYS_GETPRIORITY, 99) }
	read := func() { readZero(t, 7, 4096) }
	const mine = ` /pid == PID && args->count == 4096/ `
	for _, row := range []struct {
		script string
		work   func()
		want   string
	}{
		{`fentry:WRAPPER /pid == PID/ { @[func, probe] = count(); }`, priority, "@[WRAPPER, fentry:WRAPPER] 50"},
		{`fexit:WRAPPER /pid == PID/ { @[func, retval] = count(); }`, priority, "@[WRAPPER, -22] 50"},
		{`kfunc:vfs_read` + mine + `{ @[arg2, args->count, func] = count(); }`, read, "@[4096, 4096, vfs_read] 7"},
		{`kretfunc:vmlinux:vfs_read` + mine + `{ @[retval, arg2, args->file->f_flags & 3] = count(); }`, read, "@[4096, 4096, 0] 7"},
		{`fentry:vfs_@(read|write)` + mine + `{ @[func, probe] = count(); }`, read, "@[vfs_read, fentry:vfs_read] 7"},
		{`fexit:vfs_@(read|write)` + mine + `{ @[func, retval] = count(); }`, read, "@[vfs_read, 4096] 7"},
		{`fentry:vfs_read, fexit:vfs_read` + mine + `{ @[str(args->file->f_path.dentry->d_name.name)] = count(); }`, read, "@[zero] 14"},
		{ // addresses of structs, of user memory and of a number
			`fentry:vfs_read` + mine + `{ @[args->file == arg0, args->buf == arg1, (s64)args->file < 0, (s64)args->buf > 0, *args->pos] = count(); }`,
			read, "@[1, 1, 1, 1, 0] 7",
		},
		{ // the same call, as a kprobe sees it
			`kprobe:vfs_read /pid == PID && arg2 == 4096/ { file[tid] = arg0; buf[tid] = arg1; pos[tid] = arg3; }
				fexit:vfs_read` + mine + `{ @[file[tid] == args->file, buf[tid] == args->buf, pos[tid] == args->pos, retval] = count(); delete file[tid]; delete buf[tid]; delete pos[tid]; }`,
			read, "@[1, 1, 1, 4096] 7",
		},
		{ // the first frames
			`kprobe:vfs_read /pid == PID && arg2 == 4096/ { @k[stack] = count(); } fentry:vfs_read` + mine + `{ @f[stack] = count(); }`, read, "",
		},
		{`fexit:vfs_read` + mine + `{ @[elapsed > 0 && elapsed < 10s] = count(); }`, read, "@[1] 7"},
		{`fexit:vfs_read` + mine + `{ inner[tid] = elapsed; } fexit:ksys_read /pid == PID && retval == 4096/ { @[elapsed > inner[tid]] = count(); delete inner[tid]; }`, read, "@[1] 7"},
	} {
		replace := strings.NewReplacer("WRAPPER", wrapper)
		t.Run(row.script, func(t *testing.T) {
			got := trace(t, k, replace.Replace(row.script), bpfgen.Options{}, row.work)
			if row.want == "" {
				sameStacks(t, got, "vfs_read")
				return
			}
			if want := replace.Replace(row.want); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// sameStacks compares the stacks in @k and @f, whose outermost functions come first,
// and wants the traced function in the innermost place. At a kprobe other architectures
// leave out the caller, whose frame is not the innermost yet.
func sameStacks(t *testing.T, maps, innermost string) {
	fentry, kprobe, _ := strings.Cut(maps, "\n")
	same := strings.TrimPrefix(fentry, "@f") == strings.TrimPrefix(kprobe, "@k")
	if !same && runtime.GOARCH == "amd64" || !strings.Contains(fentry, ";"+innermost+"] ") {
		t.Errorf("got:\n%s", maps)
	}
}

// Beside a reader that never stops, and with several threads on a CPU, counts are those
// of the calls: what the kernel skips it counts.
func TestFentryExact(t *testing.T) {
	need.OldAndNew(t)
	need.Kprobes(t)
	k := running(t)
	wrapper, ok := k.SyscallFunction(syscallNamed(t, k, "getpriority"))
	if !ok {
		t.Fatal("no function for getpriority")
	}
	r := startScript(t, k, fmt.Sprintf("fentry:%s { @n = count(); } fexit:%[1]s { @n = count(); }", wrapper), bpfgen.Options{})
	var stop atomic.Bool
	var readers, callers sync.WaitGroup
	readers.Go(func() {
		for !stop.Load() {
			if _, err := r.Rows(r.obj.Maps[0]); err != nil {
				t.Error(err)
				return
			}
		}
	})
	const threads, calls = 6, 10_000
	for range threads {
		callers.Go(func() { call(calls, unix.SYS_GETPRIORITY, 99) })
	}
	callers.Wait()
	stop.Store(true)
	readers.Wait()
	letEventsEnd()
	counted, missed := readCount(t, r)
	if counted != 2*threads*calls {
		t.Errorf("counted %d of %d, of which the kernel skipped %d", counted, 2*threads*calls, missed)
	}
}

// Returns are seen however many callers are inside, but for those that the kernel skips
// and counts where it preempts a program, and a script can go while callers are inside.
func TestFexitOfSleepers(t *testing.T) {
	need.OldAndNew(t)
	need.Kprobes(t)
	const threads = 300
	script := fmt.Sprintf("fexit:do_sys_poll /pid == %d/ { @[elapsed > 0] = count(); }", os.Getpid())
	r := startScript(t, running(t), script, bpfgen.Options{})
	calls := 0
	for _, s := range sleepers(threads, nap) {
		calls += s.calls
	}
	if counted, missed := readCount(t, r); counted > calls || counted+missed < calls {
		t.Errorf("counted %d of %d calls, missed %d", counted, calls, missed)
	}
	slept := make(chan []sleeper)
	go func() { slept <- sleepers(threads, nap) }()
	time.Sleep(nap / 4) // so that some are inside; the test does not depend on it
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	<-slept
}

// A program at a function that programs call does not run inside itself without end.
func TestFentryInside(t *testing.T) {
	need.OldAndNew(t)
	need.Kprobes(t)
	k := running(t)
	got := trace(t, k, `kprobe:sys_getpriority /pid == PID/ { @a[rand] = count(); } fentry:htab_*map_update_elem, fentry:*raw_spin_lock_irqsave { @b[func, rand] = count(); }`,
		bpfgen.Options{}, func() { call(50, unix.SYS_GETPRIORITY, 99) })
	if a, b := strings.Count(got, "@a["), strings.Count(got, "@b[htab"); a != 50 || b == 0 {
		t.Errorf("%d and %d keys, want 50 and some", a, b)
	}
}
