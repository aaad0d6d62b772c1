package tracer

import (
	"encoding/binary"

	"ply-exporter/bpfgen/object"
)

// openOverflow finds the value of the other keys of what the reader reads, a map or
// its generation at a place; see object.Overflow.
func (t *Tracer) openOverflow(r *mapReader, place int) {
	if r.Overflow != nil {
		first := r.OtherOffset(place) / 8
		r.other = t.overflow[first : first+1+r.Size/8]
	}
}

// readOther returns the value of all keys for which the map had no room, nil while
// there was none.
func (r *mapReader) readOther() []byte {
	if r.other == nil {
		return nil
	}
	mark := r.other.load(0) // first, so that the value is not older than it
	if mark == 0 {
		return nil
	}
	value := make([]byte, r.Size)
	for i := range r.Size / 8 {
		binary.LittleEndian.PutUint64(value[8*i:], r.other.load(1+i))
	}
	if value = r.AppendRead(nil, value); !r.Written(mark, value) {
		return nil
	}
	return value
}

// emptyOther forgets the value of the other keys.
func (r *mapReader) emptyOther() {
	for i := range r.other {
		r.other.store(i, 0)
	}
}

// Overflowed returns how many updates the map had no room for that are in the value
// of its other keys; see Contents.Other.
func (t *Tracer) Overflowed(m *object.Map) uint64 {
	t.life.RLock()
	defer t.life.RUnlock()
	if t.closed || m.Overflow == nil {
		return 0
	}
	return t.overflow.load(m.Overflow.Offset / 8)
}
