package bpfgen_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
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
)

// callSome makes calls with known arguments and results.
func callSome() {
	var b [64]byte
	buffer := uintptr(unsafe.Pointer(&b[0]))
	call(500, unix.SYS_GETPRIORITY, 99, 7, 8)
	call(300, unix.SYS_READ, ^uintptr(0), buffer, 4096)
	call(200, unix.SYS_PREAD64, ^uintptr(0), buffer, 4096, 1<<40)
	call(100, unix.SYS_GETPPID)
	call(50, unix.SYS_PRCTL, unix.PR_SET_NAME, buffer, 0, 0, 0)
	runtime.KeepAlive(&b)
}

// hideTracepoints covers the tracepoints of system calls, as on a kernel
// without them, until the test ends.
func hideTracepoints(t *testing.T) {
	t.Helper()
	for _, category := range []string{"syscalls", "raw_syscalls"} {
		folder := "/sys/kernel/tracing/events/" + category
		if err := unix.Mount("none", folder, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(folder, 0); err != nil {
				t.Error(err)
			}
		})
	}
}

// On a kernel without tracepoints of system calls the functions behind the
// calls are probed. Arguments and results are the same as at raw_syscalls.
func TestSystemCallsWithoutTracepoints(t *testing.T) {
	need.EachArch(t)
	need.Guest(t)
	need.Kprobes(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := strings.NewReplacer("TID", fmt.Sprint(unix.Gettid()))
	scripts := []string{
		"kprobe:SyS_@(getpriority|pread64|getppid|prctl) / tid == TID / { @[func, probe] = count(); }",
		"kprobe:SyS_getpriority, kprobe:SyS_read / tid == TID && arg2 < 20000 / { @[func, (s32)arg0, arg1 == 7 || arg1 != 0, arg2] = count(); }",
		"kprobe:SyS_p@(read64|rctl) / tid == TID / { @[(s32)arg0, arg2, arg3] = count(); }",
		"kprobe:SyS_prctl / tid == TID / { @[str(arg1), arg0, arg4] = count(); }",
		"kretprobe:SyS_@(getpriority|read|pread64) / tid == TID && retval < 0 / { @[func, retval, errno(retval)] = count(); }",
		"kretprobe:SyS_getppid / tid == TID / { @[retval == PARENT] = count(); @s = sum(retval); }",
	}
	parent := strings.NewReplacer("PARENT", fmt.Sprint(os.Getppid()))
	results := func(wantKprobes bool) (out []string) {
		k, err := readKernel()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range scripts {
			s = parent.Replace(thread.Replace(s))
			if got := attachedByKprobes(t, k, s); got != wantKprobes {
				t.Errorf("%s: by kprobes %v, want %v", s, got, wantKprobes)
			}
			out = append(out, trace(t, k, s, bpfgen.Options{}, callSome))
		}
		return out
	}
	want := results(false)
	hideTracepoints(t)
	got := results(true)
	for i := range scripts {
		if got[i] != want[i] || got[i] == "" {
			t.Errorf("%s\nby functions:\n%s\nat raw_syscalls:\n%s", scripts[i], got[i], want[i])
		}
	}
}

func attachedByKprobes(t *testing.T, k *kernel.Kernel, script string) bool {
	t.Helper()
	obj, err := bpfgen.Build(&plylang.Source{Text: script}, k, bpfgen.Options{Run: true}, nil)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	return slices.ContainsFunc(obj.Programs, func(p *object.Program) bool { return strings.Contains(string(p.Attach), "probe") })
}

// Hundreds of functions are attached by one link where the kernel has it, and
// each by itself elsewhere; both count the same.
func TestManyFunctions(t *testing.T) {
	need.EachArch(t)
	need.Guest(t)
	need.Kprobes(t)
	k := running(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	script := "kprobe:tcp_m*, kprobe:vfs_* / tid == TID && arg2 == 2345 / { @[func] = count(); } kretprobe:vfs_r* / tid == TID && retval == 2345 / { @r[func] = count(); }"
	script = strings.ReplaceAll(script, "TID", fmt.Sprint(unix.Gettid()))
	for _, plain := range []bool{false, true} {
		if plain && !need.HasKprobeMulti() {
			break // the same
		}
		obj, err := bpfgen.Build(&plylang.Source{Text: script}, k, bpfgen.Options{Run: true, PlainAttach: plain}, nil)
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		begin := time.Now()
		tr, err := tracer.Start(obj, tracer.Options{Kernel: k})
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		started, active := time.Since(begin), tr.Active()
		readZeros(t, 1000)
		begin = time.Now()
		if err := tr.Stop(); err != nil {
			t.Error(err)
		}
		t.Logf("plain=%v: %d functions, start %v, stop %v", plain, active, started, time.Since(begin))
		if active < 60 {
			t.Errorf("only %d functions", active)
		}
		text := mapsText(t, k, tr, obj)
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
		if want := "@[vfs_read] 1000\n@r[vfs_read] 1000"; text != want {
			t.Errorf("plain=%v: got\n%s\nwant\n%s", plain, text, want)
		}
	}
}
