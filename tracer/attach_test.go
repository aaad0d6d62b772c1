package tracer

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// everyCPU is a timer on all CPUs.
func everyCPU(hz uint64) object.PerfEvent {
	e := object.PerfEvent{Name: fmt.Sprint(hz, "hz"), Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Freq: hz}
	for cpu := range runtime.NumCPU() {
		e.CPUs = append(e.CPUs, cpu)
	}
	return e
}

func TestPerfEvent(t *testing.T) {
	need.EachArch(t)
	period := everyCPU(0)
	period.Period = uint64(5 * time.Millisecond)
	for _, row := range []struct {
		name  string
		event object.PerfEvent
	}{
		{"frequency", everyCPU(200)},
		{"period", period},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newObject("")
			m := b.addMap(cellMap())
			b.program(object.AttachPerfEvent, row.name, points(row.event), cellAdd(m))
			tr := start(t, b.build(), testOptions(t))
			eventually(t, "ten samples", func() bool {
				runtime.Gosched() // cpu-clock ticks on busy CPUs
				return counts(t, tr, m, 0)[0] >= 10
			})
			if err := tr.Stop(); err != nil {
				t.Fatal(err)
			}
			n := counts(t, tr, m, 0)[0]
			for begin := time.Now(); time.Since(begin) < 50*time.Millisecond; {
			}
			if now := counts(t, tr, m, 0)[0]; now != n {
				t.Errorf("%d samples after Stop", now-n)
			}
		})
	}
}

func TestRawTracepoint(t *testing.T) {
	need.EachArch(t)
	b := newObject("")
	m := b.addMap(cellMap())
	b.program(object.AttachRawTracepoint, "sys_enter", points(object.RawTracepoint{Event: "sys_enter"}),
		asm.Instructions{asm.LoadMem(asm.R7, asm.R1, 8, asm.DWord), asm.JNE.Imm(asm.R7, unix.SYS_GETPPID, "out")},
		asm.Instructions{asm.FnGetCurrentPidTgid.Call(), asm.RSh.Imm(asm.R0, 32), asm.JNE.Imm(asm.R0, int32(unix.Getpid()), "out")},
		cellAdd(m))
	tr := start(t, b.build(), testOptions(t))
	syscalls(unix.SYS_GETPPID, 1000, 0)
	if n := counts(t, tr, m, 0)[0]; n != 1000 {
		t.Errorf("counted %d, want 1000", n)
	}
}

// countByCookie counts the calls of this process by the attach point's cookie.
func countByCookie(m *object.Map) []asm.Instructions {
	return []asm.Instructions{
		{
			asm.Mov.Reg(asm.R6, asm.R1),
			asm.FnGetCurrentPidTgid.Call(), asm.RSh.Imm(asm.R0, 32), asm.JNE.Imm(asm.R0, int32(unix.Getpid()), "out"),
			asm.Mov.Reg(asm.R1, asm.R6), asm.FnGetAttachCookie.Call(),
			asm.StoreMem(asm.R10, slotKey, asm.R0, asm.DWord),
		},
		element(m), addOne(0),
	}
}

// One program at several sites knows by the cookie which of them fired.
func TestCookies(t *testing.T) {
	need.EachArch(t)
	need.Kernel(t, "5.15", "attach cookies")
	b := newObject("")
	m := b.addMap(countMap(object.PerCPUHash))
	b.program(object.AttachTracepoint, "syscalls/*", points(
		tracepoint("syscalls/sys_enter_getppid"),
		tracepoint("syscalls/sys_exit_getppid"),
		tracepoint("syscalls/sys_enter_getuid"),
	), countByCookie(m)...)
	tr := start(t, b.build(), testOptions(t))
	before := counts(t, tr, m, 0)
	syscalls(unix.SYS_GETPPID, 100, 0)
	syscalls(unix.SYS_GETUID, 10, 0)
	got := counts(t, tr, m, 0)
	for id, want := range []uint64{100, 100, 10} {
		if n := got[uint64(id)] - before[uint64(id)]; n != want {
			t.Errorf("attach point %d counted %d, want %d", id, n, want)
		}
	}
	if n := tr.Active(); n != 3 {
		t.Errorf("%d probes active, want 3", n)
	}
}

// wrapper is the kernel's function behind a system call.
func wrapper(name string) string {
	return map[string]string{"amd64": "__x64_sys_", "arm64": "__arm64_sys_", "riscv64": "__riscv_sys_"}[runtime.GOARCH] + name
}

func TestKprobes(t *testing.T) {
	need.EachArch(t)
	need.Kprobes(t)
	for _, kind := range []object.AttachKind{object.AttachKprobe, object.AttachKretprobe} {
		t.Run(string(kind), func(t *testing.T) { testKprobe(t, kind, false) })
	}
}

func TestKprobeAddress(t *testing.T) {
	need.EachArch(t)
	need.Kprobes(t)
	for _, kind := range []object.AttachKind{object.AttachKprobe, object.AttachKretprobe} {
		t.Run(string(kind), func(t *testing.T) { testKprobe(t, kind, true) })
	}
}

func TestKprobeMulti(t *testing.T) {
	need.EachArch(t)
	need.KprobeMulti(t)
	for _, kind := range []object.AttachKind{object.AttachKprobeMulti, object.AttachKretprobeMulti} {
		t.Run(string(kind)+" by name", func(t *testing.T) { testKprobe(t, kind, false) })
		t.Run(string(kind)+" by address", func(t *testing.T) { testKprobe(t, kind, true) })
	}
}

// testKprobe attaches to two functions that exist and one that does not.
func testKprobe(t *testing.T, kind object.AttachKind, byAddress bool) {
	list := points(
		ofGlob(object.Function{Symbol: wrapper("getppid")}),
		ofGlob(object.Function{Symbol: "ply_no_such_function"}),
		ofGlob(object.Function{Symbol: wrapper("getuid")}),
	)
	if byAddress {
		list = list[:1]
		list[0].Site = object.Function{Symbol: wrapper("getppid"), Addr: address(t, wrapper("getppid"))}
	}
	b := newObject("")
	m := b.addMap(countMap(object.PerCPUHash))
	cookies := !need.Older(need.Release(), "5.15")
	code := countByCookie(m)
	if !cookies {
		code = []asm.Instructions{
			{asm.FnGetCurrentPidTgid.Call(), asm.RSh.Imm(asm.R0, 32), asm.JNE.Imm(asm.R0, int32(unix.Getpid()), "out")},
			keyImm(0), element(m), addOne(0),
		}
	}
	b.program(kind, "*", list, code...)
	tr := start(t, b.build(), testOptions(t))
	before := counts(t, tr, m, 0)
	syscalls(unix.SYS_GETPPID, 1000, 0)
	syscalls(unix.SYS_GETUID, 10, 0)
	got := counts(t, tr, m, 0)
	want := map[uint64]uint64{0: 1000, 2: 10}
	switch {
	case byAddress:
		want = map[uint64]uint64{0: 1000}
	case !cookies:
		want = map[uint64]uint64{0: 1010}
	}
	for id, n := range want {
		if got[id]-before[id] != n {
			t.Errorf("attach point %d counted %d, want %d", id, got[id]-before[id], n)
		}
	}
	if s := tr.Probes()[0]; s.Sites != len(list) && (s.Sites != 2 || s.Err == nil) {
		t.Errorf("status %+v", s)
	}
}

// address returns a symbol's address.
func address(t *testing.T, symbol string) uint64 {
	t.Helper()
	f, err := os.Open("/proc/kallsyms")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var addr uint64
		var kind, name string
		fmt.Sscanf(lines.Text(), "%x %s %s", &addr, &kind, &name)
		if name == symbol {
			return addr
		}
	}
	t.Fatalf("kallsyms lacks %s", symbol)
	return 0
}
