package object

import (
	"testing"

	"ply-exporter/plylang"
)

// A total is its first word plus its last one times 2^TotalShift.
func TestTotal(t *testing.T) {
	for _, row := range []struct {
		low, high int64
		signed    bool
		want      string
		float     float64
	}{
		{5, 0, false, "5", 5},
		{-5, 0, true, "-5", -5},
		{1<<48 - 5, -1, true, "-5", -5},
		{1 << 62, 0, true, "4611686018427387904", 1 << 62},
		{0, 1<<16 - 1, false, "18446462598732840960", 0xffffp48},
		{0, 1 << 16, false, "18446744073709551616", 0x1p64},
		{-1, 1 << 16, false, "18446744073709551615", 0x1p64},
		{0, 1 << 15, true, "9223372036854775808", 0x1p63},
		{-1, 1 << 15, true, "9223372036854775807", 0x1p63},
		{0, -1 << 15, true, "-9223372036854775808", -0x1p63},
		{-1, -1 << 15, true, "-9223372036854775809", -0x1p63},
		{7, 1 << 40, false, "309485009821345068724781063", 0x1p88},
	} {
		m := &Map{Map: &plylang.Map{Value: &plylang.Type{Kind: plylang.Int, Size: 8, Signed: row.signed}}, Values: Values{Shape: ShapeNumber, Total: true}}
		n := m.Read(words(row.low, row.high)).Number
		if n.String() != row.want || n.Big().String() != row.want || n.Float() != row.float {
			t.Errorf("%d and %d: %v, %v, %v, want %s, %v", row.low, row.high, n, n.Big(), n.Float(), row.want, row.float)
		}
		if want := uint64(row.low) + uint64(row.high)<<TotalShift; n.Bits != want {
			t.Errorf("%d and %d: bits %#x, want %#x", row.low, row.high, n.Bits, want)
		}
	}
}

// What is in the words of a total makes no histogram written: only its buckets do.
func TestTotalIsNoCounter(t *testing.T) {
	h := &Map{Map: &plylang.Map{}, Values: Values{Shape: ShapeHistogram, Total: true}, Buckets: bounds(1)}
	if h.Written(1, words(-5, 0, 0, 0, -1)) || !h.Written(1, words(0, 0, 1, 0, 0)) {
		t.Error("a histogram is written by its sum, or not by its buckets")
	}
}
