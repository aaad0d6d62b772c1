package decode

import (
	"io/fs"
	"maps"
	"sync"
	"time"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/tracer/containers"
	"ply-exporter/tracer/userspace"
)

// A Machine has the names of this machine that numbers stand for: users, block
// devices, cgroups, symbols and system calls. It reads them when a value asks,
// never before, and keeps them for all scripts. It is safe for use by several
// goroutines.
type Machine struct {
	kernel     *kernel.Kernel
	symbols    func() SymbolTable // nil where the kernel hides them
	users      names[int64]
	devices    names[uint32]
	cgroups    names[uint64] // of version 2
	oldCgroups names[uint64] // of version 1
	interfaces names[int64]
	pci        names[pciKey]
	nodeNames  names[string] // of pods and containers; see containers.ReadNames
	userspace  *userspace.Names

	files fs.FS // of this node
	node  func() string
	lives lives
}

// NewMachine returns the names of the machine whose kernel is k. Without a
// kernel it knows neither symbols nor system calls, and must not be asked.
func NewMachine(k *kernel.Kernel) *Machine {
	files := running(k).Files()
	return &Machine{
		kernel:     k,
		symbols:    sync.OnceValue(func() SymbolTable { return readSymbols(k) }),
		users:      names[int64]{read: func() map[int64]string { return readUsers("/etc/passwd") }},
		devices:    names[uint32]{read: func() map[uint32]string { return readDevices("/proc/diskstats") }},
		cgroups:    names[uint64]{read: func() map[uint64]string { return readCgroups(running(k), false) }, keep: true},
		oldCgroups: names[uint64]{read: func() map[uint64]string { return readCgroups(running(k), true) }, keep: true},
		interfaces: names[int64]{read: readInterfaces, keep: true, moving: true},
		nodeNames:  names[string]{read: func() map[string]string { return containers.ReadNames(files, maxNames) }, keep: true},
		userspace:  userspace.New(),
		pci:        names[pciKey]{read: func() map[pciKey]string { return readPCI(files) }},
		files:      files,
		node:       sync.OnceValue(nodeName),
	}
}

// running is k, or the kernel of this machine.
func running(k *kernel.Kernel) *kernel.Kernel {
	if k == nil {
		k, _ = kernel.Running() // for its files, which it has on every architecture
	}
	return k
}

const (
	// refresh is how often names are read again for a number that still has
	// none.
	refresh = 10 * time.Second

	// eventRefresh is how often names are read again at most for the numbers of
	// events, and eventShare which part of the time that may take.
	eventRefresh = 10 * time.Millisecond
	eventShare   = 10

	// maxNames is how many names of a kind are kept at most.
	maxNames = 1 << 16
)

// NumbersRead says that numbers have been read from the kernel just now. Names
// that were read before cannot have those of what has come into being since, so
// they are read once more for a number that has none.
func (m *Machine) NumbersRead() { m.numbersRead(false) }

// EventRead is NumbersRead for an event. There may be very many, each with a
// number that has no name, so names are not read too often for them.
func (m *Machine) EventRead() { m.numbersRead(true) }

func (m *Machine) numbersRead(event bool) {
	now := time.Now()
	m.users.numbersRead(now, event)
	m.devices.numbersRead(now, event)
	m.cgroups.numbersRead(now, event)
	m.oldCgroups.numbersRead(now, event)
	m.interfaces.numbersRead(now, event)
	m.nodeNames.numbersRead(now, event)
}

// names are what numbers of one kind stand for. They are read as a whole.
type names[K comparable] struct {
	read func() map[K]string
	keep bool // what is gone keeps its name until the number is used again

	// moving says that a number may get another name: those that are known are
	// read again, too, once numbers have been read since.
	moving bool

	mu      sync.Mutex
	known   map[K]string
	missing map[K]bool // numbers without a name when they were read
	at      time.Time  // when they were read
	took    time.Duration
	asOf    time.Time // when numbers were read
	asked   time.Time // when those were that are not of events
}

func (n *names[K]) numbersRead(at time.Time, event bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asOf = at
	if !event {
		n.asked = at
	}
}

// of returns the name of a number.
func (n *names[K]) of(number K) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name, ok := n.known[number]
	if !ok && n.stale(number) || ok && n.moving && n.due() {
		n.refresh()
		name, ok = n.known[number]
	}
	if !ok && !n.asOf.After(n.at) && len(n.missing) < maxNames {
		n.missing[number] = true
	}
	return name, ok
}

// learn makes a name known before it is asked for. When there are too many, those
// of what is gone are forgotten.
func (n *names[K]) learn(number K, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil || len(n.known) >= maxNames {
		n.known, n.at = map[K]string{}, time.Time{}
	}
	n.known[number] = name
}

// stale says that names must be read again for a number that has none.
func (n *names[K]) stale(number K) bool {
	age := time.Since(n.at)
	if n.at.IsZero() || age > refresh {
		return true
	}
	return n.due() && !n.missing[number]
}

// due says that numbers have been read since the names were.
func (n *names[K]) due() bool {
	return n.asked.After(n.at) || n.asOf.After(n.at) && time.Since(n.at) >= max(eventRefresh, eventShare*n.took)
}

func (n *names[K]) refresh() {
	before := n.known
	n.at, n.missing = time.Now(), map[K]bool{}
	n.known = n.read()
	n.took = time.Since(n.at)
	if n.keep && before != nil && len(n.known)+len(before) <= maxNames {
		maps.Copy(before, n.known)
		n.known = before
	}
}
