// Package userspace names places in processes: the functions of programs and
// libraries, and code that is made while a program runs.
//
// A place is known by the build ID of a file and an offset in it, which are the same in
// each process and after it is gone, or by an address in one process. What processes
// run is noted while somebody watches them, also of those that have ended since, and
// is otherwise read when a name is asked for that is not known.
package userspace

import (
	"strings"
	"sync"
	"time"

	"ply-exporter/bpfgen/object"
)

const (
	// maxNames is how many places are kept at most with their names.
	maxNames = 1 << 16

	// refresh is how long at least all processes are not looked at again for a place
	// that has no name, and 1/share the part of the time that looking may take.
	refresh = time.Second
	share   = 20
)

// Names are the names of places in the processes of this machine. It is safe for use
// by several goroutines, and keeps a bounded number of names.
type Names struct {
	mu        sync.Mutex
	proc      string // where the processes are: /proc
	processes processes
	files     *files
	jits      jits
	watch     *watch                 // nil where nobody watches
	known     map[object.Frame]Place // in files
	at        time.Time              // when all processes were looked at
	took      time.Duration
}

// A Place is where a frame is. All is zero if that is not known.
type Place struct {
	Function string // as C++ and Rust have it; "" where there is no symbol
	In       uint64 // bytes from its beginning
	File     string // its name without folders
	Offset   uint64 // in the file
}

// New returns the names of this machine's processes. It reads nothing yet.
func New() *Names { return newNames("/proc", openFile, folders) }

func newNames(proc string, open func(string) (image, error), folders []string) *Names {
	return &Names{
		proc: proc, processes: newProcesses(), files: newFiles(open, folders), jits: jits{},
		known: map[object.Frame]Place{},
	}
}

// Place finds where a frame is.
func (n *Names) Place(f object.Frame) Place {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.catchUp()
	if f.BuildID == (object.BuildID{}) {
		return n.inProcess(int(f.Process), f.Address)
	}
	p, ok := n.known[f]
	if ok {
		return p
	}
	file := n.files.byID[f.BuildID]
	if file == nil && (n.at.IsZero() || time.Since(n.at) >= max(refresh, share*n.took)) {
		n.lookAtAll()
		file = n.files.byID[f.BuildID]
	}
	if file == nil {
		n.files.look()
		file = n.files.byID[f.BuildID]
	}
	if file == nil {
		return Place{}
	}
	p = n.files.place(file, f.Offset)
	if len(n.known) >= maxNames {
		clear(n.known)
	}
	n.known[f] = p
	return p
}

// inProcess names an address of a process. A process that is new, or has mapped
// something since it was looked at, is looked at.
func (n *Names) inProcess(pid int, addr uint64) Place {
	a, ok := n.processes.area(pid, addr)
	if !ok && n.lookAt(pid) {
		a, ok = n.processes.area(pid, addr)
	}
	switch {
	case !ok:
		return Place{}
	case a.file != fileKey{}:
		if f := n.files.byKey[a.file]; f != nil {
			return n.files.place(f, addr-a.start+a.offset)
		}
		return Place{File: base(a.path), Offset: addr - a.start + a.offset}
	case strings.HasPrefix(a.path, "[v"), strings.HasPrefix(a.path, "[u"): // vdso, vsyscall, uprobes: of the kernel, in each process
		return Place{File: strings.Trim(a.path, "[]"), Offset: addr - a.start}
	}
	return n.jits.place(n.proc, pid, addr)
}

// lookAt reads what a process runs, and says whether it is there.
func (n *Names) lookAt(pid int) bool {
	areas := areasOf(n.proc, pid)
	if len(areas) > 0 {
		n.learn(pid, areas)
	}
	return len(areas) > 0
}

func (n *Names) learn(pid int, areas []area) {
	n.processes.set(pid, areas)
	for _, a := range areas {
		n.files.learn(n.proc, pid, a)
	}
}

func (n *Names) lookAtAll() {
	begin := time.Now()
	for _, pid := range pids(n.proc) {
		n.lookAt(pid)
	}
	n.at, n.took = time.Now(), time.Since(begin)
}

// base is a path's last part, without the mark of a file that was removed.
func base(path string) string {
	path = strings.TrimSuffix(path, " (deleted)")
	return path[strings.LastIndexByte(path, '/')+1:]
}
