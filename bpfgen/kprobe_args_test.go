package bpfgen_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/internal/need"
)

// traceThread is trace on a thread of its own; TID in the script stands for it.
func traceThread(t *testing.T, script string, plain bool, work func()) string {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	script = strings.ReplaceAll(script, "TID", fmt.Sprint(unix.Gettid()))
	return trace(t, running(t), script, bpfgen.Options{PlainAttach: plain}, work)
}

// mapPages maps some bytes of this program from its fifth, sixth and seventh
// page on.
func mapPages(t *testing.T, bytes uintptr) func() {
	return func() {
		file, err := os.Open("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for _, page := range []uintptr{5, 6, 7} {
			addr, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, bytes, unix.PROT_READ, unix.MAP_PRIVATE, file.Fd(), page<<12)
			if errno != 0 {
				t.Fatal(errno)
			}
			_, _, _ = unix.Syscall(unix.SYS_MUNMAP, addr, bytes, 0)
		}
	}
}

// Arguments that do not fit the registers lie on the stack: of do_mmap from the
// seventh on (x86-64) or the ninth (arm64). The last is a list of its caller,
// which is empty: its head points to itself.
func TestStackArguments(t *testing.T) {
	need.EachArch(t)
	need.Kprobes(t)
	const filter = ` / tid == TID && args->len == 12345 / `
	named := filter + `{ @[args->pgoff, args->prot, args->flags, args->uf->next == args->uf, args->populate == ARG] = count(); }`
	numbered := filter + `{ @[OFF, arg1 == args->addr, arg(3), LAST == args->uf, (s64)LAST < 0] = count(); }`
	last, off := 8, 6
	if len(parameters(t, "do_mmap")) == 8 { // without vm_flags
		last, off = 7, 5
	}
	arguments := strings.NewReplacer("LAST", fmt.Sprint("arg", last), "OFF", fmt.Sprintf("arg(%d)", off), "ARG", fmt.Sprint("arg", last-1))
	for _, row := range []struct{ script, want string }{
		{"kprobe:do_mmap" + named, "@[5, 1, 2, 1, 1] 1\n@[6, 1, 2, 1, 1] 1\n@[7, 1, 2, 1, 1] 1"},
		{"kprobe:do_mm[a]p" + named, "@[5, 1, 2, 1, 1] 1\n@[6, 1, 2, 1, 1] 1\n@[7, 1, 2, 1, 1] 1"},
		{"kprobe:do_mmap" + numbered, "@[5, 1, 1, 1, 1] 1\n@[6, 1, 1, 1, 1] 1\n@[7, 1, 1, 1, 1] 1"},
		{"kprobe:do_mm[a]p" + numbered, "@[5, 1, 1, 1, 1] 1\n@[6, 1, 1, 1, 1] 1\n@[7, 1, 1, 1, 1] 1"},
	} {
		for _, plain := range []bool{false, true} {
			if got := traceThread(t, arguments.Replace(row.script), plain, mapPages(t, 12345)); got != row.want {
				t.Errorf("%s plain=%v: got\n%s\nwant\n%s", row.script, plain, got, row.want)
			}
		}
	}
}

func parameters(t *testing.T, function string) []probe.ListedVar {
	t.Helper()
	list, err := probe.List(running(t), "kprobe:"+function, true)
	if err != nil || len(list) != 1 {
		t.Fatalf("%s: %v %v", function, list, err)
	}
	return list[0].Vars
}

// Registers are the caller's in each way of attaching. One link for many
// functions keeps only those of the arguments in some kernels.
func TestRegistersOfGlobs(t *testing.T) {
	need.EachArch(t)
	need.Kprobes(t)
	keys := map[string]string{
		"amd64":   `reg("cs") == 16, reg("flags") & 2 == 2, reg("si") == arg1, (s64)reg("sp") < 0`,
		"arm64":   `reg("pstate") & 15 != 0, reg("x1") == arg1, (s64)reg("x30") < 0, (s64)reg("sp") < 0`,
		"riscv64": `(s64)reg("tp") < 0, reg("a1") == arg1, (s64)reg("ra") < 0, (s64)reg("sp") < 0`,
	}
	const want = "@[1, 1, 1, 1] 10"
	script := `kprobe:vfs_rea[d] / tid == TID && arg2 == 2345 / { @[` + keys[runtime.GOARCH] + `] = count(); }`
	for _, plain := range []bool{false, true} {
		if got := traceThread(t, script, plain, func() { readZeros(t, 10) }); got != want {
			t.Errorf("plain=%v: got %s, want %s", plain, got, want)
		}
	}
}

// readZeros reads 2345 bytes n times: what is more than a page ends early when the Go runtime
// sends itself a signal.
func readZeros(t *testing.T, n int) {
	t.Helper()
	zero, err := unix.Open("/dev/zero", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(zero) }()
	b := make([]byte, 2345)
	for range n {
		if got, err := unix.Read(zero, b); got != len(b) {
			t.Fatal(got, err)
		}
	}
}
