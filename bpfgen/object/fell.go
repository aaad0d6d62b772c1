package object

import "bytes"

// Fell tells whether a value that only grows while its key stays in the map is
// smaller now than before: the key went away in between and came back. before
// and now are values of m. It is asked of every series at every scrape, so it
// reads no more of them than it needs.
func (m *Map) Fell(before, now []byte) bool {
	switch m.Shape {
	case ShapeMean:
		return Word(now, 1) < Word(before, 1)
	case ShapeHistogram:
		return !bytes.Equal(before, now) && m.anyFell(before, now)
	case ShapeNumber:
		signed := m.Value != nil && m.Value.Signed
		return m.number(now, signed).less(m.number(before, signed))
	}
	a, b := m.Read(before), m.Read(now)
	x, _ := a.Scalar()
	y, ok := b.Scalar()
	return ok && y.less(x)
}

// less compares two numbers of the same sign.
func (n Number) less(than Number) bool {
	switch {
	case n.Wide != nil || than.Wide != nil:
		return n.Big().Cmp(than.Big()) < 0
	case n.Signed:
		return n.Int() < than.Int()
	}
	return n.Bits < than.Bits
}
