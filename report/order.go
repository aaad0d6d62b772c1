package report

import (
	"cmp"
	"fmt"
	"math/big"
	"strings"

	"ply-exporter/bpfgen/object"
	"ply-exporter/tracer/decode"
)

// compareValues orders two values of m as numbers where they are numbers, a
// histogram by its count.
func compareValues(m *object.Map, x, y []byte) int {
	a, b := m.Read(x), m.Read(y)
	switch a.Shape {
	case object.ShapeNumber:
		return compareNumbers(a.Number, b.Number)
	case object.ShapeMean:
		return mean(a).Cmp(mean(b))
	case object.ShapeHistogram:
		return cmp.Compare(a.Count, b.Count)
	case object.ShapeRaw:
		return compareScalars(a.Raw, b.Raw)
	default:
		panic(fmt.Sprintf("report: no shape %d", a.Shape))
	}
}

func compareNumbers(a, b object.Number) int {
	if a.Wide != nil || b.Wide != nil {
		return a.Big().Cmp(b.Big())
	}
	if a.Signed {
		return cmp.Compare(a.Int(), b.Int())
	}
	return cmp.Compare(a.Bits, b.Bits)
}

func compareScalars(a, b object.Value) int {
	if a.Type.Scalar() {
		return compareNumbers(number(a), number(b))
	}
	return strings.Compare(string(a.Raw), string(b.Raw))
}

// compareKeys orders numbers as numbers and everything that is shown as a name
// by that name.
func compareKeys(d *decode.Decoder, a, b []object.Value) int {
	for i := range a {
		var c int
		if a[i].Type.Scalar() && a[i].Type.Display == nil {
			c = compareScalars(a[i], b[i])
		} else {
			c = strings.Compare(d.Text(a[i]), d.Text(b[i]))
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// number is the number of a value that is one.
func number(v object.Value) object.Number {
	return object.Number{Bits: uint64(v.Int()), Signed: v.Type.Signed}
}

// mean returns a mean exactly; 0 while it has no events.
func mean(r object.Reading) *big.Rat {
	if r.Count == 0 {
		return new(big.Rat)
	}
	return new(big.Rat).SetFrac(r.Number.Big(), new(big.Int).SetUint64(r.Count))
}
