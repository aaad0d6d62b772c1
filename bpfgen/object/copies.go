package object

import "encoding/binary"

// Cell reads a Cell out of its memory, of which word returns word i as it is now:
// its mark and its value. It is false where the value may be torn: read again.
func (m *Map) Cell(word func(i int) uint64) (mark uint64, value []byte, whole bool) {
	mark = word(0) // first, so that the value is not older than it
	first, turn := 1, uint32(mark>>32)
	pair := int(uint32(mark)) / 8
	if m.Copies > 0 {
		if mark == 0 {
			return 0, make([]byte, m.Size), true
		}
		first = pair + 1 + int(turn&1)*m.Size/8
	}
	for i := range m.Size / 8 {
		value = binary.LittleEndian.AppendUint64(value, word(first+i))
	}
	return mark, value, m.Copies == 0 || uint32(word(pair))-turn <= 1
}

// PairSize is how many bytes a pair of copies has: a turn and two values.
func (m *Map) PairSize() int { return 8 + 2*m.Size }

// CellSize is how many bytes the memory of a Cell has, or of each of its
// generations.
func (m *Map) CellSize() int {
	if m.Copies > 0 {
		return 8 + m.Copies*m.PairSize()
	}
	return 8 + m.Size
}
