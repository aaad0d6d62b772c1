package exporter

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"ply-exporter/bpfgen/object"
)

// However values grow, shrink and are joined, they are what they were set to, and take no
// more than twice their size.
func TestValuesThatArePacked(t *testing.T) {
	mp := &object.Map{Values: object.Values{Shape: object.ShapeHistogram, Reduce: object.ReduceSum}, Buckets: object.NewBounds(nil), Size: 8 * 700}
	r := rand.New(rand.NewPCG(3, 4))
	random := func() []byte {
		stored := make([]byte, mp.Size)
		for range r.IntN(40) * r.IntN(40) {
			stored[r.IntN(len(stored))] = 1
		}
		return mp.AppendRead(nil, stored)
	}
	const n = 50
	list := newValueList(mp)
	list.grow(n)
	want := map[uint32][]byte{}
	check := func(what string, list *valueList) {
		t.Helper()
		used := 0
		for i := range uint32(n) {
			w := want[i]
			if w == nil {
				w = mp.Nothing()
			}
			if used += len(w); !bytes.Equal(list.at(i), w) {
				t.Fatalf("%s: value %d is\n%x, want\n%x", what, i, list.at(i), w)
			}
		}
		if len(list.bytes) > 2*used {
			t.Fatalf("%s: %d bytes for values of %d", what, len(list.bytes), used)
		}
	}
	for range 3000 {
		i, value := uint32(r.IntN(n)), random()
		switch r.IntN(5) {
		case 0:
			list.join(i, value)
			if want[i] == nil {
				want[i] = mp.Nothing()
			}
			want[i] = mp.AppendJoined(nil, want[i], value)
		case 1:
			list.set(i, list.nothing)
			delete(want, i)
		default:
			list.set(i, value)
			want[i] = value
		}
		check("changed", &list)
	}
	other := newValueList(mp)
	other.copyFrom(&list)
	check("copied", &other)
	list.reset()
	clear(want)
	check("reset", &list)
}
