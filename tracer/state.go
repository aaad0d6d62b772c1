package tracer

import (
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// words is memory shared with the kernel: the 8-byte counters of an mmapable
// array's first value.
type words []uint64

// mapWords maps an array of one value into memory.
func mapWords(m *ebpf.Map) (words, error) {
	n := int(m.ValueSize())
	mem, err := unix.Mmap(m.FD(), 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*uint64)(unsafe.Pointer(&mem[0])), n/8), nil
}

func (w words) load(i int) uint64 { return atomic.LoadUint64(&w[i]) }

func (w words) store(i int, v uint64) { atomic.StoreUint64(&w[i], v) }

// close unmaps the memory; nobody may hold w afterwards.
func (w words) close() {
	if len(w) == 0 {
		return
	}
	_ = unix.Munmap(w.bytes()) // fails for wrong arguments only
}

// stateWord reads a word of the state map, see object.StateMap.
func (t *Tracer) stateWord(i int) uint64 {
	t.life.RLock()
	defer t.life.RUnlock()
	if t.closed || i >= len(t.state) {
		return 0
	}
	return t.state.load(i)
}

// LostEvents returns how many events the ring buffer refused, and how many came
// so late that what they print was no longer kept.
func (t *Tracer) LostEvents() uint64 {
	t.life.RLock()
	defer t.life.RUnlock()
	if t.closed || len(t.state) == 0 {
		return 0
	}
	return t.state.load(0) + t.notes.load(noteForgotten)
}

// Dropped returns how many updates the map refused because it was full.
func (t *Tracer) Dropped(m *object.Map) uint64 { return t.stateWord(1 + m.ID) }

// LostBegins returns how many calls are missing because it is not known when they
// began: see object.LostBeginWord.
func (t *Tracer) LostBegins() uint64 {
	if !t.obj.Timed {
		return 0
	}
	return t.stateWord(object.LostBeginWord(len(t.obj.Maps)))
}

// Faults returns how many readings of the memory of processes failed, and gave zero or the
// empty string: see object.FaultWord.
func (t *Tracer) Faults() uint64 {
	if !t.obj.ReadsUser {
		return 0
	}
	return t.stateWord(object.FaultWord(len(t.obj.Maps)))
}

// exitStatus returns the status of the first exit(); ok is false while the
// script has called none.
func (t *Tracer) exitStatus() (status int, ok bool) {
	word := uint32(t.stateWord(len(t.obj.Maps) + 1))
	return int(word) - 1, word != 0
}
