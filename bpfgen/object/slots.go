package object

import (
	"encoding/binary"
	"slices"
)

// Slots
//
// A map of which the code generator knows all keys that there can be is an array
// that user space maps into its memory, with a slot for each key: an update needs
// no lookup, cannot be refused, and reading disturbs nobody. Each part of the key is
// a number from 0 on with a bound, and the slot's number is made of them, the last
// part going fastest. Where CPUs do not share the values, each has a region of the
// array to itself. A part of the key that is the CPU is the number of the region,
// and not a part of the slot's.
//
// Which keys there are the slots themselves say; see Map.Written.

// Slots say where the values of a map of the storage Array are.
type Slots struct {
	Bounds  []int // of the parts of the key
	CPUPart int   // the part that is the number of the region; -1: there is none
	Regions int   // one for each CPU, or 1
}

// cacheLine is how far apart regions are at least.
const cacheLine = 64

// Parts are the parts of the key that the number of a slot is made of.
func (s *Slots) Parts() (parts []int) {
	for i := range s.Bounds {
		if i != s.CPUPart {
			parts = append(parts, i)
		}
	}
	return parts
}

// Places is how many slots a region has.
func (s *Slots) Places() int {
	n := 1
	for _, i := range s.Parts() {
		n *= s.Bounds[i]
	}
	return n
}

// Keys is how many keys there can be.
func (s *Slots) Keys() int {
	if s.CPUPart < 0 {
		return s.Places()
	}
	return s.Places() * s.Bounds[s.CPUPart]
}

// Marked says whether the word before a value of m can be its mark, which updates
// set that may leave the value zero.
func (m *Map) Marked() bool { return m.Storage == Cell || m.Storage == Array && m.Values.Marks }

// SlotSize is how many bytes a slot has: the mark, if there is one, and the value.
func (m *Map) SlotSize() int {
	if m.Marked() {
		return 8 + m.Size
	}
	return m.Size
}

// RegionSize is how many bytes a region has.
func (m *Map) RegionSize() int { return padded(m.Slots.Places()*m.SlotSize(), cacheLine) }

// SlotsSize is how many bytes the memory of an Array has.
func (m *Map) SlotsSize() int { return m.Slots.Regions * m.RegionSize() }

// EachSlot calls visit for each key that there can be, with the mark and the value
// that it has now. word returns word i of the memory. The bytes are valid during
// the call.
func (m *Map) EachSlot(word func(i int) uint64, visit func(mark uint64, key, value []byte)) {
	key, value, other := make([]byte, m.KeySize), make([]byte, m.Size), make([]byte, m.Size)
	for place := range m.Slots.Places() {
		m.putPlace(key, place)
		if m.Slots.CPUPart >= 0 {
			for cpu := range m.Slots.Regions {
				putPart(key, m.Key[m.Slots.CPUPart], cpu)
				visit(m.readSlot(word, cpu, place, value), key, value)
			}
			continue
		}
		mark := m.readSlot(word, 0, place, value)
		for region := 1; region < m.Slots.Regions; region++ {
			mark |= m.readSlot(word, region, place, other)
			m.Reduce.Join(value, other)
		}
		visit(mark, key, value)
	}
}

// readSlot reads a value, and returns its mark, which is read first so that the
// value is not older than it. Without marks it is anything but 0.
func (m *Map) readSlot(word func(i int) uint64, region, place int, value []byte) (mark uint64) {
	at := (region*m.RegionSize() + place*m.SlotSize()) / 8
	mark = 1
	if m.Marked() {
		mark = word(at)
		at++
	}
	for i := range m.Size / 8 {
		binary.LittleEndian.PutUint64(value[8*i:], word(at+i))
	}
	return mark
}

// putPlace writes the parts of the key of a slot, all but the CPU.
func (m *Map) putPlace(key []byte, place int) {
	for _, i := range slices.Backward(m.Slots.Parts()) {
		putPart(key, m.Key[i], place%m.Slots.Bounds[i])
		place /= m.Slots.Bounds[i]
	}
}

// putPart writes a number to its part of a key.
func putPart(key []byte, part KeyPart, n int) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	copy(key[part.Offset:part.Offset+part.Type.Size], b[:])
}
