package object

import (
	"testing"

	"ply-exporter/plylang"
)

func TestFell(t *testing.T) {
	signed, unsigned := &plylang.Type{Kind: plylang.Int, Size: 8, Signed: true}, &plylang.Type{Kind: plylang.Int, Size: 8}
	value := func(t *plylang.Type, v Values) *Map {
		return &Map{Map: &plylang.Map{Value: t}, Values: v, Buckets: bounds(1)}
	}
	number := value(unsigned, Values{Shape: ShapeNumber})
	sum := value(signed, Values{Shape: ShapeNumber, Total: true})
	mean := value(signed, Values{Shape: ShapeMean, Total: true})
	histogram := value(signed, Values{Shape: ShapeHistogram, Total: true})
	table := value(signed, Values{Shape: ShapeRaw})
	for _, tt := range []struct {
		what        string
		m           *Map
		before, now []byte
		want        bool
	}{
		{"equal", number, words(7), words(7), false},
		{"larger", number, words(7), words(8), false},
		{"smaller", number, words(7), words(6), true},
		{"larger than any signed number", number, words(7), words(-1), false},
		{"negative", sum, words(7, 0), words(-1, 0), true},
		{"beyond 64 bits", sum, words(7, 0), words(3, 1<<30), false},
		{"back from beyond 64 bits", sum, words(3, 1<<30), words(7, 0), true},
		{"an average of fewer", mean, words(7, 2, 0), words(90, 1, 0), true},
		{"an average of more, with a smaller sum", mean, words(7, 2, 0), words(1, 3, 0), false},
		{"fewer in one bucket, more in all", histogram, words(7, 0, 2, 0, 0), words(7, 0, 1, 5, 0), true},
		{"a smaller sum of more", histogram, words(7, 0, 2, 0, 0), words(1, 1, 2, 0, 0), false},
		{"a table", table, words(7), words(-7), true},
	} {
		if got := tt.m.Fell(tt.before, tt.now); got != tt.want {
			t.Errorf("%s: %t", tt.what, got)
		}
	}
}
