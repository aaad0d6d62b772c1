package object

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"ply-exporter/plylang"
)

// What comes of packed values is what comes of their words one by one.
func TestPackedValues(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, buckets := range []int{packedFrom - 2, packedFrom, 515, 1088} {
		m := &Map{Map: &plylang.Map{}, Values: Values{Shape: ShapeHistogram, Reduce: ReduceSum, Total: true}, Buckets: NewBounds(thresholdsTo(buckets))}
		words := m.Buckets.Len() + 2
		if m.Size = 8 * words; !m.Packed() {
			t.Fatalf("values of %d words are not packed", words)
		}
		for range 200 {
			comparePacked(t, m, scattered(rnd, words), scattered(rnd, words))
		}
		if v := m.Nothing(); !m.IsNothing(v) || m.Written(1, v) || len(v) != 8*BitmapWords(words) {
			t.Errorf("nothing is %x", v)
		}
	}
}

// thresholdsTo are n thresholds.
func thresholdsTo(n int) (all []*big.Int) {
	for i := range n {
		all = append(all, big.NewInt(int64(i)))
	}
	return all
}

// scattered are words of which some are not zero, often only few that lie close together.
func scattered(rnd *rand.Rand, words int) []uint64 {
	all := make([]uint64, words)
	from, n := rnd.IntN(words), 1+rnd.IntN(words)
	for range rnd.IntN(3) * rnd.IntN(words) {
		all[(from+rnd.IntN(n))%words] = rnd.Uint64() >> (4 + rnd.IntN(60))
	}
	return all
}

func bytesOf(words []uint64) (all []byte) {
	for _, w := range words {
		all = binary.LittleEndian.AppendUint64(all, w)
	}
	return all
}

func comparePacked(t *testing.T, m *Map, a, b []uint64) {
	t.Helper()
	packed := func(words []uint64) []byte { return m.AppendRead([]byte("x"), bytesOf(words))[1:] }
	same := func(what string, got []byte, want []uint64) {
		t.Helper()
		if stored := m.AppendStored([]byte("y"), got)[1:]; !bytes.Equal(stored, bytesOf(want)) || !bytes.Equal(got, packed(want)) {
			t.Fatalf("%s is\n%x, want\n%x", what, stored, bytesOf(want))
		}
	}
	x, y := packed(a), packed(b)
	same("a value", x, a)
	if n := PackedSize(len(a), append(slices.Clone(x), 1, 2, 3, 4, 5, 6, 7, 8)); n != len(x) {
		t.Fatalf("size %d, want %d", n, len(x))
	}
	var sum, growth []uint64
	var counts []Count
	var all, below uint64
	fell := false
	const negatives = 7
	for i := range a {
		sum, growth = append(sum, a[i]+b[i]), append(growth, b[i]-a[i])
		if i == 0 || i == len(a)-1 {
			continue
		}
		if all += a[i]; a[i] > 0 {
			counts = append(counts, Count{i - 1, a[i]})
		}
		if i <= negatives {
			below += a[i]
		}
		fell = fell || b[i] < a[i]
	}
	same("the sum", m.AppendJoined(nil, x, y), sum)
	same("the growth", m.AppendGrowth(nil, x, y), growth)
	if got := m.AppendCounts(nil, x); !slices.Equal(got, counts) || m.Count(x) != all || m.Read(x).Count != all || m.Negatives(x, negatives) != below || m.Written(1, x) != (all > 0) {
		t.Fatalf("counts are %v, want %v", got, counts)
	}
	if got, want := m.Sum(x), total(a[0], a[len(a)-1], false); got.String() != want.String() {
		t.Fatalf("the sum is %s, want %s", got, want)
	}
	if got := m.Sum(m.Carry(x)); got.String() != m.Sum(x).String() {
		t.Fatalf("carried the sum is %s, want %s", got, m.Sum(x))
	}
	if m.Fell(x, y) != fell || m.Fell(x, m.AppendJoined(nil, x, y)) {
		t.Fatalf("fell: %t, want %t", m.Fell(x, y), fell)
	}
}
