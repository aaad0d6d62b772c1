package decode

import (
	"sync"
	"time"

	"ply-exporter/bpfgen/kernel"
)

// A Machine has the names of this machine that numbers stand for: users, block
// devices, cgroups, symbols and system calls. It reads them when a value asks,
// never before, and keeps them for all scripts. It is safe for use by several
// goroutines.
type Machine struct {
	kernel  *kernel.Kernel
	symbols func() *kernel.Symbols // nil where the kernel hides them
	users   names[int64]
	devices names[uint32]
	cgroups names[uint64]
}

// NewMachine returns the names of the machine whose kernel is k. Without a
// kernel it knows neither symbols nor system calls, and must not be asked.
func NewMachine(k *kernel.Kernel) *Machine {
	return &Machine{
		kernel:  k,
		symbols: sync.OnceValue(func() *kernel.Symbols { return readSymbols(k) }),
		users:   names[int64]{read: func() map[int64]string { return readUsers("/etc/passwd") }},
		devices: names[uint32]{read: func() map[uint32]string { return readDevices("/proc/partitions") }, every: refresh},
		cgroups: names[uint64]{read: func() map[uint64]string { return readCgroups(cgroupRoot) }, every: refresh},
	}
}

const (
	// refresh is how long a number without a name does not make names be read
	// again: devices and cgroups come and go.
	refresh = 10 * time.Second

	// maxNames is how many names of a kind are kept at most.
	maxNames = 1 << 16
)

// names are what numbers of one kind stand for. They are read as a whole.
type names[K comparable] struct {
	read  func() map[K]string
	every time.Duration // how often at most; 0 is once

	mu    sync.Mutex
	known map[K]string
	at    time.Time // when they were read
}

// of returns the name of a number.
func (n *names[K]) of(number K) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name, ok := n.known[number]
	if !ok && (n.at.IsZero() || n.every > 0 && time.Since(n.at) > n.every) {
		n.known, n.at = n.read(), time.Now()
		name, ok = n.known[number]
	}
	return name, ok
}
