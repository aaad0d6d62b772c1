// Package userspace names places in processes: the functions of programs and
// libraries, and code that is made while a program runs.
//
// A place is known by the build ID of a file and an offset in it, which are the same in
// each process and after it is gone, or by an address in one process. What processes
// run is noted while somebody watches them, also of those that have ended since, and
// is otherwise read when a name is asked for that is not known.
//
// All that is read here is chosen by whoever may start a process: files that are large or
// damaged, file systems that do not answer. So everything is bounded, and nobody waits
// for it longer than a moment.
package userspace

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ply-exporter/bpfgen/object"
)

const (
	// maxNames is how many places are kept at most with their names.
	maxNames = 1 << 16

	// refresh is how long at least all processes, and a single one, are not looked at
	// again for a place that has no name, and 1/share the part of the time that looking
	// at all may take.
	refresh = time.Second
	share   = 20

	// patience is how long somebody waits for a name who asks again soon, and
	// lastPatience who does not.
	patience     = time.Second
	lastPatience = 20 * time.Second
)

// Names are the names of places in the processes of this machine. It is safe for use
// by several goroutines, and keeps a bounded number of names.
type Names struct {
	turn  chan struct{} // full while somebody uses what follows, up to learning
	proc  string        // where the processes are: /proc
	files *files
	jits  jits
	watch *watch    // nil where nobody watches
	at    time.Time // when all processes were looked at
	took  time.Duration

	processes            processes
	learning, relearning rate
	late                 atomic.Bool // somebody has waited in vain for who has the turn
	patience             time.Duration

	mu    sync.Mutex
	known map[object.Frame]Place // in files
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
		turn: make(chan struct{}, 1), proc: proc, processes: newProcesses(), files: newFiles(open, folders),
		jits: jits{}, known: map[object.Frame]Place{}, patience: patience,
	}
}

// ShowOnce says that what is asked for is shown once: a name that takes long to be found,
// of a large program on a slow disk, is worth waiting for.
func (n *Names) ShowOnce() { n.patience = lastPatience }

// Place finds where a frame is. While a file is read that does not come, nothing is known
// that was not before.
func (n *Names) Place(f object.Frame) Place {
	if p, ok := n.recall(f); ok || n.late.Load() {
		return p
	}
	found := make(chan Place, 1)
	go func() {
		n.turn <- struct{}{}
		p := n.find(f)
		n.late.Store(false)
		<-n.turn
		found <- p
	}()
	select {
	case p := <-found:
		return p
	case <-time.After(n.patience):
		n.late.Store(true)
		return Place{}
	}
}

func (n *Names) recall(f object.Frame) (Place, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p, ok := n.known[f]
	return p, ok
}

func (n *Names) remember(f object.Frame, p Place) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.known) >= maxNames {
		clear(n.known)
	}
	n.known[f] = p
}

// find finds where a frame is, in its turn.
func (n *Names) find(f object.Frame) Place {
	n.catchUp()
	if f.BuildID == (object.BuildID{}) {
		return n.inProcess(int(f.Process), f.Address)
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
	p, settled := n.files.place(file, f.Offset)
	if settled {
		n.remember(f, p)
	}
	return p
}

// inProcess names an address of a process. A process that is new, or has mapped
// something since it was looked at, is looked at.
func (n *Names) inProcess(pid int, addr uint64) Place {
	a, ok := n.processes.area(pid, addr)
	if !ok && n.processes.due(pid) && n.lookAt(pid) {
		a, ok = n.processes.area(pid, addr)
	}
	switch {
	case !ok:
		return Place{}
	case a.file != fileKey{}:
		p, _ := n.files.place(n.files.learn(n.proc, pid, a), addr-a.start+a.offset)
		return p
	case strings.HasPrefix(a.path, "[v"), strings.HasPrefix(a.path, "[u"): // vdso, vsyscall, uprobes: of the kernel, in each process
		return Place{File: strings.Trim(a.path, "[]"), Offset: addr - a.start}
	}
	return n.jits.place(n.proc, pid, addr)
}

// lookAt reads what a process runs, and says whether it is there.
func (n *Names) lookAt(pid int) bool {
	areas := areasOf(n.proc, pid)
	n.processes.lookedAt(pid)
	if len(areas) == 0 {
		return false
	}
	n.processes.set(pid, areas)
	for _, a := range areas {
		n.files.learn(n.proc, pid, a)
	}
	return true
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
