package object

import "bytes"

// Fell tells whether a value that only grows while its key stays in the map is
// smaller now than before: the key went away in between and came back. before
// and now are values of m.
func (m *Map) Fell(before, now []byte) bool {
	if bytes.Equal(before, now) {
		return false
	}
	a, b := m.Read(before), m.Read(now)
	switch m.Shape {
	case ShapeMean:
		return b.Count < a.Count
	case ShapeHistogram:
		for i := range m.Buckets.Len() {
			if b.In(i) < a.In(i) {
				return true
			}
		}
		return false
	}
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
