package kernel

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// live returns the running kernel.
func live(t testing.TB) *Kernel {
	t.Helper()
	k, err := Running()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// traced returns the running kernel when its tracefs can be read.
func traced(t testing.TB) *Kernel {
	t.Helper()
	need.Root(t)
	k := live(t)
	if _, err := k.Tracing(); err != nil {
		t.Skip("needs tracefs")
	}
	return k
}

func TestRunningKernel(t *testing.T) {
	need.EachArch(t)
	k := live(t)
	if k.Arch().Name != runtime.GOARCH || !k.AtLeast(4, 0) {
		t.Errorf("%s on %s", k.release(), k.Arch().Name)
	}
	online, err := k.OnlineCPUs()
	if err != nil || len(online) == 0 || !slices.IsSorted(online) {
		t.Errorf("online: %v, %v", online, err)
	}
	if possible, err := k.PossibleCPUs(); err != nil || possible < len(online) {
		t.Errorf("possible: %d, %v", possible, err)
	}
}

func TestRunningFormats(t *testing.T) {
	need.EachArch(t)
	checkFormats(t, traced(t), 200)
}

// The running kernel's tracepoints of system calls carry names this program
// knows, but for calls that are newer than it.
func TestRunningSyscalls(t *testing.T) {
	need.EachArch(t)
	k := traced(t)
	found, err := k.Tracepoints("syscalls", "sys_enter_*")
	if err != nil {
		t.Fatal(err)
	}
	var unknown []string
	for _, name := range found {
		call := strings.TrimPrefix(name, "syscalls/sys_enter_")
		if _, ok := k.Arch().SyscallNumber(call); !ok {
			unknown = append(unknown, call)
		}
	}
	if len(found) == 0 || len(unknown) > len(found)/50 {
		t.Errorf("unknown: %v of %d", unknown, len(found))
	}
}

func TestRunningSymbols(t *testing.T) {
	need.EachArch(t)
	need.Root(t)
	k := live(t)
	s, err := k.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	addr, ok := s.Addr("vfs_read")
	if !ok {
		t.Fatal("there is no vfs_read")
	}
	if name, module, offset, ok := s.Lookup(addr + 1); name != "vfs_read" || module != "" || offset != 1 || !ok {
		t.Errorf("vfs_read+1 is %s %s+%d", module, name, offset)
	}
	found, err := k.Functions("vfs_@(read|write)")
	if functionNames(found) != "vfs_read vfs_write" || err != nil || found[0].Addr != addr {
		t.Errorf("functions %v, %v", found, err)
	}
}

func TestRunningTypes(t *testing.T) {
	need.EachArch(t)
	need.BPF(t) // a kernel that loads programs has types
	k := live(t)
	if offset, err := k.FieldOffset("task_struct", "comm"); err != nil || offset == 0 {
		t.Errorf("comm at %d, %v", offset, err)
	}
	if f, err := k.BTFFunc("vfs_read"); err != nil || f.Name != "vfs_read" {
		t.Errorf("vfs_read is %v, %v", f, err)
	}
}

func BenchmarkSymbols(b *testing.B) {
	k := live(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.readKallsyms(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAllFunctions(b *testing.B) {
	k := live(b)
	for b.Loop() {
		if _, err := k.Functions("*"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOneFunction(b *testing.B) {
	k := live(b)
	for b.Loop() {
		if _, err := k.Functions("vfs_read"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAllTracepoints(b *testing.B) {
	k := traced(b)
	for b.Loop() {
		if _, err := k.Tracepoints("*", "*"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDidYouMeanLike(b *testing.B) {
	need.Root(b)
	k := live(b)
	s, err := k.Symbols()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		plylang.DidYouMeanLike("__netif_recieve_skb_core", k.Probeable(s))
	}
}
