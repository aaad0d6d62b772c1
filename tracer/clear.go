package tracer

import (
	"fmt"
	"sync"
	"time"

	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/object"
)

// How clear() works
//
// The kernel makes the next generation of a map current; see object.Generations.
// What remains is done here, by a goroutine (clear_watch.go) that sees it in the
// memory that programs share with us, and so needs no event of the ring buffer:
// after a grace period the old generation is complete. It is read, if somebody
// may want to print it, emptied (clear_empty.go), and given to the kernel again.
//
// print() of such a map says in its event which generation was current. Once
// that one has ended, all of it is printed, also what came between the print()
// and the clear() that followed: so prints that are each followed by a clear()
// add up to all that ever was in the map.

// A clearing is a map that the script clears.
type clearing struct {
	*object.Map
	words       words // those of object.ClearMap, for all maps
	generations [object.Generations]*mapReader
	emptier     emptier
	printed     bool  // the script prints the map
	notes       words // see noteWords
	complained  bool

	mu      sync.Mutex
	changed *sync.Cond // signals that done, ended or kept changed
	current uint64     // generation that was seen to be current last
	since   time.Time  // when it was, and had not been before; zero for the first
	done    uint64     // generation before which all are complete and empty
	ended   bool       // nobody watches any more
	kept    map[uint64]*past
	size    int // bytes kept
}

// A past is a generation that has ended.
type past struct {
	rows  []Row
	size  int
	until uint64 // position in the ring buffer behind the last event that can ask for it
}

// state is the map's ClearState now.
func (c *clearing) state() object.ClearState {
	return object.ClearState(c.words.load(c.ClearStateWord()))
}

// notice takes in which generation is current, and returns since when.
func (c *clearing) notice(s object.ClearState) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.Number() > c.current {
		c.see(s.Number(), time.Now())
	}
	return c.since
}

// currentTries is how often a map is read that is cleared while it is read.
const currentTries = 100

// read reads the current generation.
func (c *clearing) read() (Contents, error) {
	for range currentTries {
		now, err := c.readIf(c.state().Number())
		if now != nil || err != nil {
			return *orEmpty(now), err
		}
	}
	return Contents{}, fmt.Errorf("it is cleared too often to be read")
}

func orEmpty(c *Contents) *Contents {
	if c == nil {
		return &Contents{}
	}
	return c
}

// readIf reads a generation if it is the current one; nil when it is not, or not
// any more.
func (c *clearing) readIf(generation uint64) (*Contents, error) {
	s := c.state()
	if s.Number() != generation {
		return nil, nil
	}
	since := c.notice(s)
	contents, err := c.generations[object.Place(generation)].readCopy() // the watcher reads it when it has ended
	if err != nil {
		return nil, err
	}
	if c.state().Number() != generation {
		return nil, nil
	}
	contents.Cleared = since
	return &contents, nil
}

// LateClears returns how many times a clear() was carried out late, because the
// script clears the map faster than it can be read and emptied. What is stored
// meanwhile counts as if it had been stored before.
func (t *Tracer) LateClears(m *object.Map) uint64 {
	t.life.RLock()
	defer t.life.RUnlock()
	if c := t.clearings[m.ID]; c != nil && !t.closed {
		return c.notes.load(noteLate)
	}
	return 0
}

// openClearing prepares reading the generations of a map; openReaders and
// openEmptiers follow.
func (t *Tracer) openClearing(m *object.Map) (*clearing, error) {
	c := &clearing{Map: m, kept: map[uint64]*past{}, words: t.clears, notes: t.notesOf(m)}
	c.changed = sync.NewCond(&c.mu)
	for _, e := range t.obj.Events {
		c.printed = c.printed || e.Kind == object.EventPrintMap && e.Map == m
	}
	for place := range c.generations {
		r, err := t.openGeneration(m, place)
		if err != nil {
			return c, err
		}
		c.generations[place] = r
	}
	return c, nil
}

func (t *Tracer) openGeneration(m *object.Map, place int) (*mapReader, error) {
	if m.Storage != object.Cell {
		r, err := openReader(m, t.coll.Maps[m.GenerationName(place)])
		if err == nil {
			t.openOverflow(r, place)
		}
		return r, err
	}
	r, err := openReader(m, t.coll.Maps[m.SpecName])
	if err == nil {
		words := m.CellSize() / 8
		r.cell = r.memory[place*words : (place+1)*words]
	}
	return r, err
}

// openEmptiers finds a way to empty the hashes that are cleared.
func (t *Tracer) openEmptiers(types *btf.Cache) error {
	for _, c := range t.clearings {
		if c == nil || c.Storage == object.Cell {
			continue
		}
		if err := c.openEmptier(t.coll.Maps[c.SpecName], t.coll.Maps[object.ClearMap], types); err != nil {
			return Diagnose(err)
		}
	}
	return nil
}

func (c *clearing) close() {
	if c == nil {
		return
	}
	if c.emptier != nil {
		c.emptier.close()
	}
	for _, r := range c.generations {
		r.close()
	}
}

// forgetHandled drops what no event can ask for any more.
func (t *Tracer) forgetHandled(handled uint64) {
	for _, c := range t.clearings {
		if c != nil && c.printed {
			c.forget(handled)
		}
	}
}
