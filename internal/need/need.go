// Package need says in which kernels a test runs, and skips tests that a machine
// cannot run, with one wording for each reason: "needs kprobes", "needs kernel
// 5.15 for attach cookies". The test command knows these reasons and fails when
// a test is skipped for the lack of something that its kernel does have
// (internal/ci).
//
// A test that loads programs calls BPF and then runs on this machine only. One
// whose result depends on the kernel calls OneGuest, OldAndNew, EachKernel or EachArch before;
// Guest, Kprobes, KprobeMulti and Kernel include EachKernel.
package need

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Oldest is the oldest kernel that is supported, which is also a guest of the tests.
const Oldest = "5.10"

// NoBPF is the environment variable by which the test command says that this
// kernel has stopped loading BPF programs.
const NoBPF = "PLY_TEST_NO_BPF"

// WithoutKernel is the environment variable of the test command's first pass,
// in which tests that ask for a kernel skip themselves and say where they run.
const WithoutKernel = "PLY_TEST_WITHOUT_KERNEL"

// The reasons for which tests are skipped in the first pass.
const (
	RunsHere   = "runs in the kernel of this machine"
	RunsInOne  = "runs in one guest kernel of a PC"
	RunsInTwo  = "runs in the oldest and the newest guest kernel of a PC"
	RunsInEach = "runs in each guest kernel of a PC"
	RunsOnEach = "runs in each guest kernel of each architecture"
	RunsLast   = "runs last in the oldest and the newest guest kernel of a PC"
)

// asked are the names of the tests that have asked for a kernel.
var asked sync.Map

// runs says where a test runs. Only the first such call of a test counts, so a
// wider one must not come later.
func runs(t testing.TB, where string) {
	t.Helper()
	before, again := asked.LoadOrStore(t.Name(), where)
	if again && before == RunsHere && where != RunsHere {
		t.Fatalf("a test that %s must say so before it calls need.Root or need.BPF", where)
	}
	if os.Getenv(WithoutKernel) != "" {
		t.Skip(where)
	}
}

// OneGuest says that what the test shows needs kprobes, and is the same on each
// kernel that has what it needs: one of the guest kernels is enough.
func OneGuest(t testing.TB) {
	t.Helper()
	runs(t, RunsInOne)
}

// OldAndNew says that what the test shows changes with the age of kernels: where it
// is right in the oldest, in this machine's and in the newest, it is between them, too.
func OldAndNew(t testing.TB) {
	t.Helper()
	runs(t, RunsInTwo)
}

// EachKernel says that what the test shows differs between kernels.
func EachKernel(t testing.TB) {
	t.Helper()
	runs(t, RunsInEach)
}

// EachArch says that it differs between architectures, too: then the oldest and the
// newest kernel of a PC, and those of other architectures.
func EachArch(t testing.TB) {
	t.Helper()
	runs(t, RunsOnEach)
}

// LastInGuest is OldAndNew and Guest for a test after which its kernel is of no use.
func LastInGuest(t testing.TB) {
	t.Helper()
	runs(t, RunsLast)
	Guest(t)
}

// Root skips unless the test runs as uid 0.
func Root(t testing.TB) {
	t.Helper()
	runs(t, RunsHere)
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// BPF skips unless the test can load BPF programs.
func BPF(t testing.TB) {
	t.Helper()
	Root(t)
	if os.Getenv(NoBPF) != "" {
		t.Skip("needs a kernel that loads BPF programs")
	}
}

// Guest skips outside a guest kernel. It is for tests that load programs by the
// thousand, which can hang a machine (docs/testing.md).
func Guest(t testing.TB) {
	t.Helper()
	EachKernel(t)
	BPF(t)
	if !InGuest() {
		t.Skip("needs a guest kernel")
	}
}

// InGuest tells whether the test runs in a guest kernel.
func InGuest() bool { return os.Getenv("IN_TEST_GUEST") != "" }

// Kprobes skips unless kprobes and kretprobes can be attached.
func Kprobes(t testing.TB) {
	t.Helper()
	EachKernel(t)
	BPF(t)
	if !HasKprobes() {
		t.Skip("needs kprobes")
	}
}

// HasKprobes tells whether the running kernel has kprobes.
func HasKprobes() bool {
	_, err := os.Stat("/sys/bus/event_source/devices/kprobe")
	return err == nil
}

// KprobeMulti skips unless one link can attach a program to many functions.
func KprobeMulti(t testing.TB) {
	t.Helper()
	EachKernel(t)
	BPF(t)
	if !HasKprobeMulti() {
		t.Skip("needs kprobe_multi")
	}
}

// HasKprobeMulti tells whether the running kernel has kprobe_multi links: since
// 5.18 where CONFIG_FPROBE is set, on whose functions they are built.
func HasKprobeMulti() bool {
	symbols, err := os.ReadFile("/proc/kallsyms")
	return err == nil && strings.Contains(string(symbols), " register_fprobe_ips\n")
}

// Kernel skips on kernels older than version ("5.15"); what names the feature.
func Kernel(t testing.TB, version, what string) {
	t.Helper()
	EachKernel(t)
	BPF(t)
	if Older(Release(), version) {
		t.Skipf("needs kernel %s for %s", version, what)
	}
}

// Release is the running kernel's release, as uname -r prints it.
func Release() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// Older compares the first two numbers of two kernel releases.
func Older(a, b string) bool {
	var a1, a2, b1, b2 int
	fmt.Sscanf(a, "%d.%d", &a1, &a2)
	fmt.Sscanf(b, "%d.%d", &b1, &b2)
	return a1 < b1 || a1 == b1 && a2 < b2
}

// Command skips unless the program is installed, and returns its path.
func Command(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("needs the command %s", name)
	}
	return path
}
