package object

import (
	"math/big"
	"slices"
	"sort"
	"testing"
)

// Ends that are not those of native buckets cut these, and Fold joins the parts again.
func TestExponentialFold(t *testing.T) {
	listed := []*big.Int{big.NewInt(-100), big.NewInt(3), big.NewInt(4), big.NewInt(1000)}
	e := NewExponential(1, 1, big.NewRat(1, 1), true, listed)
	if want := []uint64{3, 1000}; !slices.Equal(e.More.Upper, want) || !slices.Equal(e.More.Negative, []int64{-100}) {
		t.Errorf("%v", e.More)
	}
	into, err := Fold(e, listed)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		number      int64
		sign, index int
		classic     int
	}{{-129, -1, 15, 0}, {-128, -1, 14, 0}, {-100, -1, 14, 0}, {-99, -1, 14, 1}, {-1, -1, 0, 1}, {0, 0, 0, 1}, {1, 1, 0, 1}, {2, 1, 2, 1}, {3, 1, 4, 1}, {4, 1, 4, 2}, {1000, 1, 20, 3}, {1001, 1, 20, 4}} {
		i := sort.Search(e.Len(), func(i int) bool {
			_, hi := e.Range(i)
			return hi == nil || big.NewInt(row.number).Cmp(hi) <= 0
		})
		if sign, index := e.Native(i); sign != row.sign || index != row.index || into[i] != row.classic {
			t.Errorf("%d is in bucket %d of sign %d and in classic bucket %d", row.number, index, sign, into[i])
		}
	}
}
