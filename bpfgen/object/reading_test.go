package object

import (
	"encoding/binary"
	"math/big"
	"slices"
	"testing"

	"ply-exporter/plylang"
)

func words(ns ...int64) []byte {
	var b []byte
	for _, n := range ns {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	return b
}

// Each shape is read by itself, whatever fills it.
func TestRead(t *testing.T) {
	signed := &plylang.Map{Value: plylang.S64}
	number := &Map{Map: signed, Values: Values{Shape: ShapeNumber}}
	if r := number.Read(words(-5)); r.Number.String() != "-5" || r.Number.Float() != -5 {
		t.Errorf("number: %+v", r)
	}
	number.Number = func(value []byte, _ bool) uint64 { return Word(value, 0) + Word(value, 1) }
	if r := number.Read(words(-5, 7)); r.Number.Int() != 2 {
		t.Errorf("number of two words: %+v", r)
	}
	if r := (&Map{Map: signed, Values: Values{Shape: ShapeMean}}).Read(words(-6, 3)); r.Number.Int() != -6 || r.Count != 3 {
		t.Errorf("mean: %+v", r)
	}
	h := (&Map{Map: &plylang.Map{}, Values: Values{Shape: ShapeHistogram}, Buckets: bounds(1)}).Read(words(-1, 1, 2, 4))
	if h.Number.Bits != 1<<64-1 || h.Count != 7 || h.In(2) != 4 {
		t.Errorf("histogram: %+v", h)
	}
	raw := (&Map{Map: &plylang.Map{Value: &plylang.Type{Kind: plylang.Bytes, Size: 5}}, Values: Table}).Read(words(-1))
	if _, ok := raw.Scalar(); ok || len(raw.Raw.Raw) != 5 {
		t.Errorf("raw: %+v", raw)
	}
}

// What adds up signed numbers is a gauge; a duration counts up.
func TestMetricsOf(t *testing.T) {
	sum := Values{Metrics: []Metric{MetricCounter, MetricGauge}}
	for typ, want := range map[*plylang.Type]Metric{
		nil: MetricCounter, plylang.U64: MetricCounter, plylang.DurationT: MetricCounter, plylang.S64: MetricGauge,
	} {
		if got := sum.MetricsOf(typ); got[0] != want || len(got) != 2 {
			t.Errorf("of %+v: %v", typ, got)
		}
	}
}

func ends(ns ...int64) []*big.Int {
	var out []*big.Int
	for _, n := range ns {
		out = append(out, big.NewInt(n))
	}
	return out
}

func bounds(ns ...int64) Bounds { return NewBounds(ends(ns...)) }

// Negative numbers have buckets of their own, whatever the bounds.
func TestNegativeLen(t *testing.T) {
	for _, row := range []struct {
		b          Buckets
		n, buckets int
	}{
		{bounds(1, 2), 1, 4}, {bounds(-10, 5), 2, 4}, {bounds(-10, -1, 5), 2, 4}, {bounds(-3), 2, 3},
		{Log2{}, 1, 64}, {Log2{Unsigned: true}, 1, 65}, {Linear{-10, 10, 5}, 3, 6}, {Linear{5, 10, 5}, 0, 3},
	} {
		if n := NegativeLen(row.b); n != row.n || row.b.Len() != row.buckets {
			t.Errorf("%#v: %d of %d buckets are negative", row.b, n, row.b.Len())
		}
	}
}

// Buckets of a map may be finer than those that are exported.
func TestFold(t *testing.T) {
	if got, err := Fold(bounds(1, 4), ends(1, 4)); err != nil || !slices.Equal(got, []int{0, 0, 1, 2}) {
		t.Errorf("equal bounds: %v, %v", got, err)
	}
	if got, err := Fold(bounds(1, 2, 4, 6), ends(2)); err != nil || !slices.Equal(got, []int{0, 0, 0, 1, 1, 1}) {
		t.Errorf("finer ones: %v, %v", got, err)
	}
	fine, err := Fold(Log2{Bits: 2}, ends(15, 1023))
	if err != nil || fine[0] != 0 || fine[len(fine)-1] != 2 || !slices.IsSorted(fine) {
		t.Errorf("powers of two: %v, %v", fine, err)
	}
	if got, err := Fold(bounds(-10, 5), ends(-10, 5)); err != nil || !slices.Equal(got, []int{0, 1, 1, 2}) {
		t.Errorf("negative ones: %v, %v", got, err)
	}
	if got, err := Fold(Log2{}, ends(2)); err == nil {
		t.Errorf("a bucket of 2 and 3 lies on both sides of the bound 2, but goes into %v", got)
	}
}

func TestReduceJoins(t *testing.T) {
	for r, want := range map[Reduce][]byte{ReduceSum: words(4, 2), ReduceMax: words(3, 2)} {
		a := words(3, 0)
		if r.Join(a, words(1, 2)); !slices.Equal(a, want) {
			t.Errorf("reduction %d: %v, want %v", r, a, want)
		}
	}
}
