// Package kernel tells what a machine's kernel looks like: its release and
// registers, its tracepoints, functions, types, system calls and features. It
// reads files and asks the kernel nothing else; what only a system call can
// tell comes from a prober that the caller sets.
package kernel

import (
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf/btf"
)

// A Kernel is the running kernel, or a recorded one by its files. Everything is
// read when it is first asked for, and kept. A Kernel may be used from several
// goroutines.
type Kernel struct {
	files fs.FS // named as under /, without the slash: "proc/kallsyms"
	arch  *Arch

	release  func() string
	tracing  func() (string, error)
	recorded func() map[Feature]bool
	possible func() (int, error)
	assumed  atomic.Int64 // instead of the possible processors; 0: nothing is assumed
	features featureCache
	kept     atomic.Pointer[kept]
}

// A kept is what was read and takes megabytes.
type kept struct {
	kallsyms   func() (*Symbols, error)
	tells      func() error // addresses of symbols
	traceable  func() *nameSet
	refuses    func() bool // probes in what is not traceable
	blacklist  func() map[string]bool
	syscallFns func() map[int]string
	vmlinux    func() (*btf.Spec, error)
	types      *btf.Cache
	modules    moduleTypes
	enums      *enumCache
	tracepoint formatCache
	memo       sync.Map
}

// Running returns the running kernel.
func Running() (*Kernel, error) { return Open(root{}) }

// Files are those of the machine, from its root folder.
func (k *Kernel) Files() fs.FS { return k.files }

// Open returns the kernel that has these files, named as under / without the
// slash: "proc/kallsyms".
func Open(files fs.FS) (*Kernel, error) {
	return OpenArch(files, machine(files))
}

// OpenArch is Open for a given architecture, by Go's name for it.
func OpenArch(files fs.FS, goarch string) (*Kernel, error) {
	arch, ok := arches[goarch]
	if !ok {
		return nil, fmt.Errorf("architecture %q is not supported: amd64, arm64 and riscv64 are", goarch)
	}
	if _, err := fs.Stat(files, "."); err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	k := &Kernel{files: files, arch: arch}
	k.release = sync.OnceValue(k.readRelease)
	k.tracing = sync.OnceValues(k.findTracing)
	k.recorded = sync.OnceValue(k.readRecorded)
	k.possible = sync.OnceValues(k.readPossible)
	k.Forget()
	return k, nil
}

// Forget gives back the memory of what was read, which is read again when it is
// asked for. A program that has compiled its scripts needs little of it.
func (k *Kernel) Forget() {
	k.kept.Store(&kept{
		kallsyms:   sync.OnceValues(k.readKallsyms),
		tells:      sync.OnceValue(k.readTells),
		traceable:  sync.OnceValue(k.readTraceable),
		refuses:    sync.OnceValue(k.refusesNotrace),
		blacklist:  sync.OnceValue(k.readBlacklist),
		syscallFns: sync.OnceValue(k.findSyscalls),
		vmlinux:    sync.OnceValues(k.readVmlinux),
		types:      btf.NewCache(),
		enums:      &enumCache{index: sync.OnceValue(k.indexEnums)},
	})
}

// Prepare begins to read the kernel's types, which nearly all scripts need, while the
// caller does something else.
func (k *Kernel) Prepare() {
	kept := k.kept.Load()
	go func() { _, _ = kept.vmlinux() }() // who asks gets the error
}

// Memo returns what another package keeps with a kernel under a key of its own,
// until it is to forget, and makes it when it is first asked for.
func (k *Kernel) Memo(key any, make func() any) any {
	memo := &k.kept.Load().memo
	if old, ok := memo.Load(key); ok {
		return old
	}
	value, _ := memo.LoadOrStore(key, make())
	return value
}

// root has the files of this machine. Its errors name them by their whole path,
// which those of os.DirFS("/") do not.
type root struct{}

func (root) Open(name string) (fs.File, error)      { return os.Open("/" + name) }
func (root) Stat(name string) (fs.FileInfo, error)  { return os.Stat("/" + name) }
func (root) ReadLink(name string) (string, error)   { return os.Readlink("/" + name) }
func (root) Lstat(name string) (fs.FileInfo, error) { return os.Lstat("/" + name) }

// machine returns Go's name of the architecture. Kernels before 6.1 do
// not tell theirs: a recorded one has the file all the same, and a running one
// has the architecture of this program.
func machine(files fs.FS) string {
	text, err := fs.ReadFile(files, "proc/sys/kernel/arch")
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

// IsRunning says whether it is the kernel of this machine, and not a recorded one.
func (k *Kernel) IsRunning() bool { return k.running() }

// running says whether this is the running kernel.
func (k *Kernel) running() bool { return k.files == fs.FS(root{}) }

// Arch returns the kernel's architecture.
func (k *Kernel) Arch() *Arch { return k.arch }

// Release returns the kernel's release as uname -r prints it, "" where it is not known.
func (k *Kernel) Release() string { return k.release() }

func (k *Kernel) readRelease() string {
	text, err := fs.ReadFile(k.files, "proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// version returns the numbers a release begins with, zeros where there is none.
func (k *Kernel) version() (major, minor, patch int) {
	parts := strings.SplitN(k.release(), ".", 3)
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
	haveMajor, haveMinor, _ := k.version()
	return haveMajor > major || haveMajor == major && haveMinor >= minor
}
