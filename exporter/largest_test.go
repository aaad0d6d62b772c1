package exporter

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// largest is what sorting all would give.
func TestLargest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		s := &mapSeries{round: 5}
		for n := range uint32(r.IntN(30)) {
			s.list = append(s.list, series{round: 4 + uint32(r.IntN(2)), hidden: r.IntN(5) == 0})
			s.order = append(s.order, n)
		}
		sizes := make([]float64, len(s.list))
		for i := range sizes {
			sizes[i] = float64(r.IntN(6) - 3)
		}
		size := func(n uint32) float64 { return sizes[n] }
		want := slices.DeleteFunc(slices.Clone(s.order), func(n uint32) bool { return s.list[n].round != 5 || s.list[n].hidden })
		slices.SortStableFunc(want, func(a, b uint32) int { return int(sizes[b] - sizes[a]) })
		if got := s.largest(12, size); !slices.Equal(got, want[:min(len(want), 12)]) {
			t.Fatalf("got %v, want the first of %v", got, want)
		}
	}
}
