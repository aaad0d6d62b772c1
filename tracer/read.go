package tracer

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/object"
)

// A Row is one element of a map: key and value as object.Map lays them out,
// the value reduced over the CPUs. The row of a keyless map has no key.
type Row struct {
	Key, Value []byte
}

// Contents are what a map had in it when it was read.
type Contents struct {
	// Rows has each key once, in no order. A keyless map that was never written
	// has no row. The rows are valid until the same map is read again.
	Rows []Row

	// Cleared is when what is in the map began to gather: a time between the
	// last clear() before the reading and the reading, the same until the next
	// clear(). It is zero while there was none.
	Cleared time.Time
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
	c, err := t.readMap(m)
	if err != nil {
		return Contents{}, fmt.Errorf("map %s: %w", m.Name, err)
	}
	return c, nil
}

func (t *Tracer) readMap(m *object.Map) (Contents, error) {
	if c := t.clearings[m.ID]; c != nil {
		return c.read()
	}
	return t.maps[m.ID].read()
}

// readersOf are what reads a map: one, or one for each generation.
func (t *Tracer) readersOf(m *object.Map) []*mapReader {
	if c := t.clearings[m.ID]; c != nil {
		return c.generations[:]
	}
	return t.maps[m.ID : m.ID+1]
}

// Rows is Contents for those who do not ask how old it is.
func (t *Tracer) Rows(m *object.Map) ([]Row, error) {
	c, err := t.Contents(m)
	return c.Rows, err
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
		info, err := r.kernel.Info()
		if err != nil {
			return 0
		}
		n, _ := info.Memlock()
		all, last = all+n, r.kernel
	}
	return all
}

// A mapReader reads one map. It keeps its buffers from call to call.
type mapReader struct {
	*object.Map
	kernel   *ebpf.Map
	shape    shape
	memory   words    // of a keyless map
	cell     words    // what of it this reads: all, or a generation
	elements elements // of a hash

	mu    sync.Mutex
	data  []byte // elements side by side: key, value
	again []byte // the same, of a second reading
	rows  []Row
	known map[string]*sighting
	round uint32
}

// A sighting says when a key was last there.
type sighting struct{ round uint32 }

// openReader prepares reading a map; openReaders follows for hashes.
func openReader(m *object.Map, k *ebpf.Map) (*mapReader, error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, err
	}
	r := &mapReader{Map: m, kernel: k, shape: shapeOf(m, cpus), known: map[string]*sighting{}}
	if m.Storage == object.Cell {
		r.memory, err = mapWords(k)
		r.cell = r.memory
	}
	return r, err
}

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
	r.rows, r.data = r.rows[:0], r.data[:0]
	read := r.readHash
	if r.Storage == object.Cell {
		read = r.readCell
	}
	err := read()
	return Contents{Rows: r.rows}, err
}

// addRow makes a row of an element, unless no update has reached it yet.
func (r *mapReader) addRow(mark uint64, row Row) {
	if r.Written(mark, row.Value) {
		r.rows = append(r.rows, row)
	}
}

// cellTries is how often a keyless map is read that programs write to so fast
// that its value is torn each time.
const cellTries = 1000

// readCell makes the row of a keyless map.
func (r *mapReader) readCell() error {
	for range cellTries {
		if mark, value, whole := r.Cell(r.cell.load); whole {
			r.addRow(mark, Row{Value: value})
			return nil
		}
	}
	return errors.New("programs store to it too fast to read a whole value")
}

// readHash fills data with all elements and rows with one for each key.
func (r *mapReader) readHash() error {
	if err := r.readElements(); err != nil {
		return err
	}
	stride := r.shape.stride()
	n := len(r.data) / stride
	r.round++
	seen := 0
	for i := range n {
		element := r.data[i*stride : (i+1)*stride : (i+1)*stride]
		key := element[:r.KeySize:r.KeySize]
		if r.see(key) {
			r.addRow(1, Row{key, element[r.KeySize:]})
			seen++
		}
	}
	if seen < len(r.known) {
		return r.readMissing()
	}
	return nil
}

// readElements fills data with all elements, some perhaps twice.
func (r *mapReader) readElements() (err error) {
	r.data, err = r.elements.read(r.data[:0])
	return err
}

// see notes that a key is there; false when it was already seen this round.
func (r *mapReader) see(key []byte) bool {
	s := r.known[string(key)]
	if s == nil {
		r.known[string(key)] = &sighting{r.round}
		return true
	}
	if s.round == r.round {
		return false
	}
	s.round = r.round
	return true
}

// readMissing reads once more, for the keys that were there last time and are not
// among the rows. A key whose bucket changes meanwhile can be passed over; it must
// not seem gone. Looking up each would be a bpf(2) call each, in which this CPU
// misses events.
func (r *mapReader) readMissing() (err error) {
	if r.again, err = r.elements.read(r.again[:0]); err != nil {
		return err
	}
	stride := r.shape.stride()
	for i := 0; i+stride <= len(r.again); i += stride {
		key := r.again[i : i+r.KeySize : i+r.KeySize]
		s := r.known[string(key)]
		if s == nil || s.round == r.round {
			continue
		}
		s.round = r.round
		r.addRow(1, Row{key, r.again[i+r.KeySize : i+stride : i+stride]})
	}
	maps.DeleteFunc(r.known, func(_ string, s *sighting) bool { return s.round != r.round })
	return nil
}
