package object

import (
	"encoding/binary"
	"fmt"
	"slices"

	"ply-exporter/plylang"
)

// A Value is some bytes of a record and what they mean.
type Value struct {
	Type *plylang.Type
	Raw  []byte // Type.Size bytes, or 8 where Type is an integer that was computed
}

// Int returns the value as 64 bits, widened by its own sign.
func (v Value) Int() int64 { return ReadInt(v.Type, v.Raw) }

// ReadInt reads an integer or pointer of type t from the beginning of raw.
func ReadInt(t *plylang.Type, raw []byte) int64 {
	switch {
	case t.Size == 1 && t.Signed:
		return int64(int8(raw[0]))
	case t.Size == 1:
		return int64(raw[0])
	case t.Size == 2 && t.Signed:
		return int64(int16(binary.LittleEndian.Uint16(raw)))
	case t.Size == 2:
		return int64(binary.LittleEndian.Uint16(raw))
	case t.Size == 4 && t.Signed:
		return int64(int32(binary.LittleEndian.Uint32(raw)))
	case t.Size == 4:
		return int64(binary.LittleEndian.Uint32(raw))
	}
	return int64(binary.LittleEndian.Uint64(raw))
}

// Split cuts a key of m into its components.
func (m *Map) Split(key []byte) []Value { return split(m.Key, key) }

// Split cuts the arguments out of a record of e.
func (e *Event) Split(record []byte) []Value { return split(e.Args, record) }

func split(parts []KeyPart, b []byte) []Value {
	out := make([]Value, len(parts))
	for i, p := range parts {
		out[i] = Value{Type: p.Type, Raw: b[p.Offset : p.Offset+p.Type.Size]}
	}
	return out
}

// Word returns 8-byte word i of a value.
func Word(value []byte, i int) uint64 { return binary.LittleEndian.Uint64(value[8*i:]) }

// Join joins the value of one CPU with that of another, word by word, into a.
// What it does the tracer's iterator programs do too.
func (r Reduce) Join(a, b []byte) {
	for w := 0; w < len(a); w += 8 {
		x, y := binary.LittleEndian.Uint64(a[w:]), binary.LittleEndian.Uint64(b[w:])
		switch r {
		case ReduceSum:
			x += y
		case ReduceMax:
			x = max(x, y)
		default:
			panic(fmt.Sprintf("bpfgen: no reduction %d", r))
		}
		binary.LittleEndian.PutUint64(a[w:], x)
	}
}

// Written says whether an update has reached a value; a reader can see it a
// moment before. mark is the word before a Cell's value. The elements of hashes
// begin with their first update, all but those of histograms; for them mark is
// anything but 0.
//
// Most values say it themselves, in such a way that no update of a cell can be
// hidden by a delete or clear at the same time. An extreme's cell is marked
// only by the number that is stored as 0.
func (m *Map) Written(mark uint64, value []byte) bool {
	switch m.Kind {
	case KindCount:
		return Word(value, 0) != 0
	case KindAvg:
		return Word(value, 1) != 0
	case KindMin, KindMax:
		return mark != 0 || Word(value, 0) != 0
	case KindHistogram:
		return slices.ContainsFunc(value[8:], func(b byte) bool { return b != 0 })
	}
	return mark != 0
}

// Extreme returns the number behind a stored minimum or maximum. A maximum of
// signed numbers is stored with its top bit flipped, so that the order of all
// numbers is the order of unsigned ones; a minimum is the complement of that.
func (m *Map) Extreme(value []byte) int64 {
	return extreme(m.Kind == KindMin, m.Value.Signed, Word(value, 0))
}

func extreme(minimum, signed bool, word uint64) int64 {
	if minimum {
		word = ^word
	}
	if signed {
		word ^= 1 << 63
	}
	return int64(word)
}

// Histogram returns a histogram's sum and its counters by bucket.
func (m *Map) Histogram(value []byte) (sum int64, counts []uint64) {
	counts = make([]uint64, m.Buckets.Len())
	for i := range counts {
		counts[i] = Word(value, 1+i)
	}
	return int64(Word(value, 0)), counts
}
