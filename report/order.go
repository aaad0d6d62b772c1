package report

import (
	"cmp"
	"math/big"
	"strings"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
	"ply-exporter/tracer/decode"
)

// compareValues orders two values of m as numbers where they are numbers, a
// histogram by its count.
func compareValues(m *object.Map, a, b []byte) int {
	switch m.Kind {
	case object.KindCount:
		return cmp.Compare(object.Word(a, 0), object.Word(b, 0))
	case object.KindSum:
		return compareInts(m.Value, int64(object.Word(a, 0)), int64(object.Word(b, 0)))
	case object.KindMin, object.KindMax:
		return compareInts(m.Value, m.Extreme(a), m.Extreme(b))
	case object.KindAvg:
		return average(m, a).Cmp(average(m, b))
	case object.KindHistogram:
		_, x := m.Histogram(a)
		_, y := m.Histogram(b)
		return cmp.Compare(total(x), total(y))
	}
	return compareScalars(tableValue(m, a), tableValue(m, b))
}

func compareInts(t *plylang.Type, a, b int64) int {
	if t.Signed {
		return cmp.Compare(a, b)
	}
	return cmp.Compare(uint64(a), uint64(b))
}

func compareScalars(a, b object.Value) int {
	if a.Type.Scalar() {
		return compareInts(a.Type, a.Int(), b.Int())
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

// tableValue is the value in a row of a table.
func tableValue(m *object.Map, value []byte) object.Value {
	return object.Value{Type: m.Value, Raw: value}
}

// average returns an avg()'s mean exactly; 0 while it has no events.
func average(m *object.Map, value []byte) *big.Rat {
	sum, count := bigInt(m.Value, object.Word(value, 0)), object.Word(value, 1)
	if count == 0 {
		return new(big.Rat)
	}
	return new(big.Rat).SetFrac(sum, new(big.Int).SetUint64(count))
}

func bigInt(t *plylang.Type, word uint64) *big.Int {
	if t.Signed {
		return big.NewInt(int64(word))
	}
	return new(big.Int).SetUint64(word)
}

func total(counts []uint64) uint64 {
	var n uint64
	for _, c := range counts {
		n += c
	}
	return n
}
