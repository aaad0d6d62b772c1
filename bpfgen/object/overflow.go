package object

// Overflow
//
// A hash has room for so many keys. What belongs to keys beyond them is added up in
// one value, that of "other" keys, so that the sum over all keys, those included, is
// exact. Only who finds no room for a key pays for it. The values of all maps are in
// OverflowMap, one for each generation of a map that is cleared, and each after a mark,
// as a Cell's is. Before them is a count of such updates, which no clear() touches.

// OverflowMap is an mmapable array of one value: for each map that has an Overflow, its
// count and its values. It exists only where there is one.
const OverflowMap = "ply_overflow"

// An Overflow is where in OverflowMap the values of a map's other keys are.
type Overflow struct {
	Offset int // in bytes
}

// OverflowSize is how many bytes of OverflowMap the map takes.
func (m *Map) OverflowSize() int { return 8 + m.generations()*m.otherSize() }

func (m *Map) otherSize() int { return 8 + m.StoredSize() }

// OtherOffset is where in OverflowMap the mark before the value of a generation is,
// by its place; that of 0 where the map is not cleared.
func (m *Map) OtherOffset(place int) int { return m.Overflow.Offset + 8 + place*m.otherSize() }

// OtherStride is how far apart the values of generations are.
func (m *Map) OtherStride() int { return m.otherSize() }
