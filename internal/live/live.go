// Package live gives tests what they need of the running kernel.
package live

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/need"
)

// Kernel returns the running kernel; the test is skipped where it takes no
// programs from us. It runs in each guest kernel of each architecture, unless it
// has asked for less before: what the verifier and the compiler of the kernel
// make of a program differs.
func Kernel(t testing.TB) *kernel.Kernel {
	t.Helper()
	need.EachArch(t)
	need.BPF(t)
	if err := rlimit.RemoveMemlock(); err != nil { // kernels before 5.11 count maps
		t.Fatal(err)
	}
	k, err := running()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// running is shared by all tests of a binary: to read types takes long in
// emulation.
var running = sync.OnceValues(kernel.Running)

// PinPath mounts a BPF file system for a test, and returns a path in it at which there
// is nothing yet.
func PinPath(t testing.TB) string {
	t.Helper()
	need.BPF(t)
	root := t.TempDir()
	if err := unix.Mount("bpf", root, "bpf", 0, "mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(root, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(root, "ply-exporter")
}
