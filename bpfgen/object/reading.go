package object

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"

	"ply-exporter/plylang"
)

// Values of maps
//
// What a map's value is to those who show it is one of four shapes. An
// aggregation says in its row which it has and how it is stored; nobody who
// reads values asks for the aggregation.

// A Shape is what the value of a map is.
type Shape uint8

// The shapes.
const (
	ShapeRaw       Shape = iota + 1 // a value of the script: of type Map.Value, padded to 8 bytes
	ShapeNumber                     // a number that was computed
	ShapeMean                       // sum 64 bits, count u64, more of the sum where it is a total
	ShapeHistogram                  // sum 64 bits, Buckets.Len() counters u64, more of the sum where it is a total
)

// A Metric is a type of metric, as Prometheus calls it.
type Metric string

// The types of metrics.
const (
	MetricCounter   Metric = "counter"
	MetricGauge     Metric = "gauge"
	MetricSummary   Metric = "summary"
	MetricHistogram Metric = "histogram"
)

// Values is what the values of a map are, to all who read them: of a table, or
// of an aggregation, which has it in its row.
type Values struct {
	Shape   Shape
	Metrics []Metric // what it may be exported as, the default first
	Reduce  Reduce   // what the values of several CPUs become

	// Total says that the sum of a value, or the number that is one, is in its
	// first word and its last one, which is that of TotalShift.
	Total bool

	// Marks says that an update may leave a value zero, and marks it where there is
	// a mark; see Map.Marked.
	Marks bool

	// StartsAtZero says that a value without a key is 0 before anything
	// happened, and not missing.
	StartsAtZero bool

	// Note is what a metric's help adds to the expression.
	Note string

	// Number decodes a number, as 64 bits that are signed or not; nil where the
	// first word is the number. Other shapes do not have it.
	Number func(value []byte, signed bool) uint64

	// Written is Map.Written; nil is the one of the shape.
	Written func(mark uint64, value []byte) bool
}

// Table is what the values of a table are.
var Table = Values{Shape: ShapeRaw, Metrics: []Metric{MetricGauge, MetricCounter}, Reduce: ReduceSum, Marks: true}

// MetricsOf are the types that values computed from numbers of type t, nil for
// none, may be exported as, the default first. What adds up signed numbers can
// fall, so it is a gauge first; a duration is taken for one that does not.
func (v *Values) MetricsOf(t *plylang.Type) []Metric {
	falls := t != nil && t.Signed && t.Unit == plylang.Plain
	if i := slices.Index(v.Metrics, MetricGauge); falls && i > 0 {
		return append([]Metric{MetricGauge}, slices.Delete(slices.Clone(v.Metrics), i, i+1)...)
	}
	return v.Metrics
}

// A Number is 64 bits with or without a sign, or a larger one.
type Number struct {
	Bits   uint64 // the lowest 64
	Signed bool
	Wide   *big.Int // the number where 64 bits are too few; nil otherwise
}

// Int returns the lowest 64 bits as a signed number.
func (n Number) Int() int64 { return int64(n.Bits) }

// Float returns the nearest floating-point number.
func (n Number) Float() float64 {
	if n.Wide != nil {
		f, _ := new(big.Float).SetInt(n.Wide).Float64()
		return f
	}
	if n.Signed {
		return float64(n.Int())
	}
	return float64(n.Bits)
}

// Big returns the number exactly.
func (n Number) Big() *big.Int {
	if n.Wide != nil {
		return n.Wide
	}
	if n.Signed {
		return big.NewInt(n.Int())
	}
	return new(big.Int).SetUint64(n.Bits)
}

// String returns the number in decimal.
func (n Number) String() string {
	if n.Wide != nil {
		return n.Wide.String()
	}
	if n.Signed {
		return strconv.FormatInt(n.Int(), 10)
	}
	return strconv.FormatUint(n.Bits, 10)
}

// A Reading is the value of a map as it was read.
type Reading struct {
	Shape   Shape
	Number  Number  // ShapeNumber; the sum in ShapeMean and ShapeHistogram
	Count   uint64  // how many numbers are in ShapeMean and ShapeHistogram
	Raw     Value   // ShapeRaw
	Buckets Buckets // ShapeHistogram

	counts []byte
}

// Read decodes a value of m. The reading may refer to its bytes.
func (m *Map) Read(value []byte) Reading {
	r := Reading{Shape: m.Shape}
	signed := m.Value != nil && m.Value.Signed
	switch m.Shape {
	case ShapeRaw:
		r.Raw = Value{Type: m.Value, Raw: value[:m.Value.Size]}
	case ShapeNumber:
		r.Number = m.number(value, signed)
	case ShapeMean:
		r.Number, r.Count = m.number(value, signed), Word(value, 1)
	case ShapeHistogram:
		r.Number, r.Count, r.Buckets = m.number(value, signed), m.Count(value), m.Buckets
		r.counts = m.counters(m.AppendStored(nil, value))
	default:
		panic(fmt.Sprintf("object: no shape %d", m.Shape))
	}
	return r
}

func (m *Map) number(value []byte, signed bool) Number {
	first, last := m.ends(value)
	switch {
	case m.Number != nil:
		return Number{Bits: m.Number(value, signed), Signed: signed}
	case m.Total:
		return total(first, last, signed)
	}
	return Number{Bits: first, Signed: signed}
}

// In returns how many numbers bucket i of a histogram holds.
func (r *Reading) In(i int) uint64 { return Word(r.counts, i) }

// Scalar returns the number of a reading that is one: computed, or a value of
// the script that is an integer.
func (r *Reading) Scalar() (n Number, ok bool) {
	switch {
	case r.Shape == ShapeNumber:
		return r.Number, true
	case r.Shape == ShapeRaw && r.Raw.Type.Integer():
		return Number{Bits: uint64(r.Raw.Int()), Signed: r.Raw.Type.Signed}, true
	}
	return Number{}, false
}

// Written says whether an update has reached a value; a reader can see it a
// moment before. mark is the word before a Cell's value. The elements of hashes
// begin with their first update, all but those of histograms; for them mark is
// anything but 0.
//
// Most values say it themselves, in such a way that no update of a cell can be
// hidden by a delete or clear at the same time.
func (m *Map) Written(mark uint64, value []byte) bool {
	switch {
	case m.Values.Written != nil:
		return m.Values.Written(mark, value)
	case m.Shape == ShapeMean:
		return Word(value, 1) != 0
	case m.Shape == ShapeHistogram:
		any := false
		m.walkCounts(value, func(int, uint64) bool { any = true; return false })
		return any
	}
	return mark != 0
}

// counters are the buckets of a histogram as it is stored.
func (m *Map) counters(value []byte) []byte { return value[8 : 8+8*m.Buckets.Len()] }
