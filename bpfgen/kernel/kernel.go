// Package kernel tells what a machine's kernel looks like: its release and
// registers, its tracepoints, functions, types, system calls and features. It
// reads files and asks the kernel nothing else; what only a system call can
// tell comes from a prober that the caller sets.
package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/cilium/ebpf/btf"
)

// A Kernel is a kernel whose files lie under a root folder: that of the running
// one, or a recorded one in a test's data. Everything is read when it is first
// asked for, and kept. A Kernel may be used from several goroutines.
type Kernel struct {
	root string
	arch *Arch

	release    func() string
	tracing    func() (string, error)
	kallsyms   func() (*Symbols, error)
	traceable  func() *nameSet
	blacklist  func() map[string]bool
	syscallFns func() map[int]string
	vmlinux    func() (*btf.Spec, error)
	recorded   func() map[Feature]bool
	possible   func() (int, error)
	types      *btf.Cache
	modules    moduleTypes
	features   featureCache
	tracepoint formatCache
}

// Open returns the kernel whose files lie under root: "/" is the running one.
func Open(root string) (*Kernel, error) {
	return OpenArch(root, machine(root))
}

// OpenArch is Open for a given architecture, by Go's name for it.
func OpenArch(root, goarch string) (*Kernel, error) {
	arch, ok := arches[goarch]
	if !ok {
		return nil, fmt.Errorf("architecture %s is not supported: amd64, arm64 and riscv64 are", goarch)
	}
	if info, err := os.Stat(root); err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("kernel: %s is not a folder", root)
	}
	k := &Kernel{root: filepath.Clean(root), arch: arch, types: btf.NewCache()}
	k.release = sync.OnceValue(k.readRelease)
	k.tracing = sync.OnceValues(k.findTracing)
	k.kallsyms = sync.OnceValues(k.readKallsyms)
	k.traceable = sync.OnceValue(k.readTraceable)
	k.blacklist = sync.OnceValue(k.readBlacklist)
	k.syscallFns = sync.OnceValue(k.findSyscalls)
	k.vmlinux = sync.OnceValues(k.readVmlinux)
	k.recorded = sync.OnceValue(k.readRecorded)
	k.possible = sync.OnceValues(k.readPossible)
	return k, nil
}

// machine returns Go's name of the root's architecture. Kernels before 6.1 do
// not tell theirs: a recorded one has the file all the same, and a running one
// has the architecture of this program.
func machine(root string) string {
	text, err := os.ReadFile(filepath.Join(root, "proc/sys/kernel/arch"))
	if err != nil {
		return runtime.GOARCH
	}
	name := strings.TrimSpace(string(text))
	for goarch, arch := range arches {
		if arch.Machine == name {
			return goarch
		}
	}
	return name
}

// path returns where a file of the machine lies.
func (k *Kernel) path(name string) string { return filepath.Join(k.root, name) }

// live says whether this is the running kernel.
func (k *Kernel) live() bool { return k.root == string(filepath.Separator) }

// Arch returns the kernel's architecture.
func (k *Kernel) Arch() *Arch { return k.arch }

// Release returns the kernel's release as uname(1) prints it.
func (k *Kernel) Release() string { return k.release() }

func (k *Kernel) readRelease() string {
	text, err := os.ReadFile(k.path("proc/sys/kernel/osrelease"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// Version returns the numbers a release begins with, zeros where there is none.
func (k *Kernel) Version() (major, minor, patch int) {
	parts := strings.SplitN(k.Release(), ".", 3)
	number := func(i int) int {
		if i >= len(parts) {
			return 0
		}
		digits := parts[i]
		if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
			digits = digits[:end]
		}
		n, _ := strconv.Atoi(digits)
		return n
	}
	return number(0), number(1), number(2)
}

// AtLeast says whether the kernel is of the given version or a later one.
func (k *Kernel) AtLeast(major, minor int) bool {
	haveMajor, haveMinor, _ := k.Version()
	return haveMajor > major || haveMajor == major && haveMinor >= minor
}
