package tracer

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/object"
	"ply-exporter/tracer/keys"
)

// A Row is one element of a map: key and value as object.Map lays them out,
// the value reduced over the CPUs, and packed where the map's are. The row of a
// keyless map has no key.
type Row struct {
	Key, Value []byte
}

// Contents are what a map had in it when it was read. Values may be packed; see
// object.Packed.
type Contents struct {
	// Rows yields each key once, in no order. A keyless map that was never
	// written has no row. They can be gone through several times, until the same
	// map is read again.
	Rows iter.Seq[Row]
	Len  int // how many rows there are

	// Other is the value of all keys for which the map had no room, which no row is of;
	// nil where there is none. See object.Overflow.
	Other []byte

	// Cleared is when what is in the map began to gather: a time between the
	// last clear() before the reading and the reading, the same until the next
	// clear(). It is zero while there was none.
	Cleared time.Time

	// Expired are the keys that have expired, with their last values, and were not
	// taken by TakeExpired; a key may be there several times, and among the rows, if
	// it has come back. ExpiredEnd is how many have expired with them.
	Expired    []Row
	ExpiredEnd uint64
}

// Contents reads a map.
//
// Counts never fall from one call to the next, except where the script
// deletes or clears.
func (t *Tracer) Contents(m *object.Map) (Contents, error) {
	t.life.RLock()
	defer t.life.RUnlock()
	if t.closed {
		return Contents{}, errClosed
	}
	t.useHandover()
	c, err := t.readMap(m)
	t.settleCgroups()
	if err != nil {
		return Contents{}, fmt.Errorf("map %s: %w", m.Name, err)
	}
	return c, nil
}

func (t *Tracer) readMap(m *object.Map) (Contents, error) {
	if c := t.clearings[m.ID]; c != nil {
		return c.read()
	}
	if x := t.expiryOf(m); x != nil {
		return x.read()
	}
	c, err := t.maps[m.ID].read()
	if err != nil || len(m.MissedBy) == 0 {
		return c, err
	}
	return t.withMissed(m, c), nil
}

// readersOf are what reads a map: one, or one for each generation.
func (t *Tracer) readersOf(m *object.Map) []*mapReader {
	if c := t.clearings[m.ID]; c != nil {
		return c.generations[:]
	}
	if x := t.expiryOf(m); x != nil {
		return []*mapReader{x.main, x.main.late}
	}
	return t.maps[m.ID : m.ID+1]
}

// Rows is Contents for those who do not ask how old it is.
func (t *Tracer) Rows(m *object.Map) ([]Row, error) {
	c, err := t.Contents(m)
	if err != nil {
		return nil, err
	}
	return c.list(), nil
}

func (c *Contents) list() []Row {
	if c.Len == 0 {
		return nil
	}
	return slices.Collect(c.Rows)
}

// MapMemory returns the bytes of kernel memory a map occupies, 0 when the
// kernel does not say.
func (t *Tracer) MapMemory(m *object.Map) (all uint64) {
	t.life.RLock()
	defer t.life.RUnlock()
	if t.closed {
		return 0
	}
	var last *ebpf.Map
	for _, r := range t.readersOf(m) {
		if r.kernel == last {
			continue // generations of a cell share their memory
		}
		n := r.kernelMemory()
		if n == 0 {
			return 0
		}
		all, last = all+n, r.kernel
	}
	return all
}

// kernelMemory asks the kernel once: maps get all their memory when they are
// made, and asking means to read a file.
func (r *mapReader) kernelMemory() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.charged > 0 {
		return r.charged
	}
	if info, err := r.kernel.Info(); err == nil {
		r.charged, _ = info.Memlock()
	}
	return r.charged
}

// A mapReader reads one map. It keeps its buffers from call to call.
type mapReader struct {
	*object.Map
	kernel   *ebpf.Map
	shape    shape
	memory   words      // of a keyless map, or one of slots
	cell     words      // what of it this reads: all, or a generation
	other    words      // of a hash that has an overflow: its mark and its value
	elements elements   // of a hash
	late     *mapReader // of the late hash of a map that expires
	time     words      // of such a map, in ticks

	mu    sync.Mutex
	data  []byte // elements side by side, see elements
	again []byte // the same, of a second reading
	known *keys.Table
	seen  []uint32 // by a key's number: the round in which it was there last
	round uint32

	deleted int // how many known keys were deleted; see leave

	beside bool   // there may be something in the late hash
	oldest uint64 // of a map that expires: no element was updated before, see noteOldest

	charged uint64 // bytes of kernel memory; 0 is not known yet
}

// openReader prepares reading a map; openReaders follows for hashes.
func openReader(m *object.Map, k *ebpf.Map) (*mapReader, error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, err
	}
	r := &mapReader{Map: m, kernel: k, shape: shapeOf(m, cpus), known: keys.New(m.KeySize)}
	if inMemory(m) {
		r.memory, err = mapWords(k)
		r.cell = r.memory
	}
	return r, err
}

// inMemory says whether a map is read through shared memory.
func inMemory(m *object.Map) bool { return m.Storage == object.Cell || m.Storage == object.Array }

func (r *mapReader) close() {
	if r == nil {
		return
	}
	if r.elements != nil {
		r.elements.close()
	}
	r.memory.close()
}

func (r *mapReader) read() (Contents, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.fill()
	return r.contents(r.data), err
}

// readCopy is read for contents that others must not change when they read the
// same map.
func (r *mapReader) readCopy() (Contents, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.fill()
	return r.contents(bytes.Clone(r.data)), err
}

// fill fills data with the elements of the map.
func (r *mapReader) fill() error {
	switch r.Storage {
	case object.Cell:
		return r.readCell()
	case object.Array:
		r.readSlots()
		return nil
	case object.InTasks:
		return nil
	}
	err := r.readHash()
	if err == nil && r.beside {
		err = r.readLate()
	}
	return err
}

func (r *mapReader) contents(elements []byte) Contents {
	return Contents{Rows: r.rows(elements), Len: r.shape.count(elements), Other: r.readOther()}
}

// rows yields the rows that elements are.
func (r *mapReader) rows(elements []byte) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		for element := range r.shape.each(elements) {
			row := Row{Value: r.value(element)}
			if r.KeySize > 0 {
				row.Key = element[:r.KeySize:r.KeySize]
			}
			if !yield(row) {
				return
			}
		}
	}
}

// value is that of an element.
func (r *mapReader) value(element []byte) []byte {
	end := len(element) - (r.StoredSize() - r.Size)
	return element[r.KeySize:end:end]
}

// updated is when an element of a map that expires was updated.
func updated(element []byte) uint64 { return object.Word(element, len(element)/8-1) }

// cellTries is how often a keyless map is read that programs write to so fast
// that its value is torn each time.
const cellTries = 1000

// readCell fills data with the value of a keyless map, unless no update has
// reached it yet.
func (r *mapReader) readCell() error {
	r.data = r.data[:0]
	for range cellTries {
		if mark, value, whole := r.Cell(r.cell.load); whole {
			if value = r.AppendRead(nil, value); r.Written(mark, value) {
				r.data = value
			}
			return nil
		}
	}
	return errors.New("programs store to it too fast to read a whole value")
}
