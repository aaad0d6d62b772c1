package object

import (
	"fmt"
	"math/big"
	"slices"
	"sort"
)

// Log2 divides the numbers by powers of two, each cut into 2^Bits equal parts.
// Values below 2^(Bits+1) have a bucket each; but 0 and 1 share one when Bits
// is 0. The last power is 2^62, and 2^63 where the numbers have no sign.
type Log2 struct {
	Bits     int
	Unsigned bool
}

// Exact is the number of buckets before the first that a power is cut into.
func (h Log2) Exact() int {
	if h.Bits == 0 {
		return 1
	}
	return 2 << h.Bits
}

// Len returns the number of buckets.
func (h Log2) Len() int {
	powers := 62 - h.Bits
	if h.Unsigned {
		powers++
	}
	return 1 + h.Exact() + powers<<h.Bits
}

// Range returns the limits of bucket i.
func (h Log2) Range(i int) (lo, hi *big.Int) {
	n := i - 1
	switch {
	case i == 0:
		return nil, big.NewInt(-1)
	case h.Bits == 0 && n == 0:
		return big.NewInt(0), big.NewInt(1)
	case n < h.Exact():
		return big.NewInt(int64(n)), big.NewInt(int64(n))
	}
	n -= h.Exact()
	power, part := h.Bits+1+n>>h.Bits, uint64(n&(1<<h.Bits-1))
	if h.Bits == 0 {
		power, part = 1+n, 0
	}
	width := uint64(1) << (power - h.Bits)
	first := uint64(1)<<power + part*width
	return unsigned(first), unsigned(first + (width - 1))
}

func unsigned(n uint64) *big.Int { return new(big.Int).SetUint64(n) }

// Bounds divides the numbers by ascending inclusive upper bounds: first those
// below zero, the last of which is -1, then the others. The bucket after the last
// bound holds what is above all.
type Bounds struct {
	Negative []int64
	Upper    []uint64
}

// NewBounds returns the buckets that end at the given ascending numbers. Those
// that 64 bits with or without a sign cannot hold end none. Negative numbers are
// always apart from others.
func NewBounds(uppers []*big.Int) Bounds {
	b := splitBounds(uppers)
	if n := len(b.Negative); n == 0 || b.Negative[n-1] != -1 {
		b.Negative = append(b.Negative, -1)
	}
	return b
}

// splitBounds tells negative numbers from others.
func splitBounds(uppers []*big.Int) (b Bounds) {
	for _, n := range uppers {
		switch {
		case n.IsUint64():
			b.Upper = append(b.Upper, n.Uint64())
		case n.IsInt64():
			b.Negative = append(b.Negative, n.Int64())
		}
	}
	return b
}

// Len returns the number of buckets.
func (b Bounds) Len() int { return len(b.Negative) + len(b.Upper) + 1 }

// Range returns the limits of bucket i.
func (b Bounds) Range(i int) (lo, hi *big.Int) {
	if i > 0 {
		lo = new(big.Int).Add(b.end(i-1), big.NewInt(1))
	}
	if i < b.Len()-1 {
		hi = b.end(i)
	}
	return lo, hi
}

// end is the upper bound of bucket i.
func (b Bounds) end(i int) *big.Int {
	if n := len(b.Negative); i >= n {
		return unsigned(b.Upper[i-n])
	}
	return big.NewInt(b.Negative[i])
}

// Linear divides the numbers from Lo to Hi into steps. Bucket 0 holds what is
// below Lo, the last what is from Hi on.
type Linear struct{ Lo, Hi, Step int64 }

// Steps is the number of buckets between Lo and Hi.
func (h Linear) Steps() int { return int((uint64(h.Hi-h.Lo)-1)/uint64(h.Step) + 1) }

// Len returns the number of buckets.
func (h Linear) Len() int { return h.Steps() + 2 }

// Range returns the limits of bucket i.
func (h Linear) Range(i int) (lo, hi *big.Int) {
	switch {
	case i == 0:
		return nil, new(big.Int).Sub(big.NewInt(h.Lo), big.NewInt(1))
	case i > h.Steps():
		return big.NewInt(h.Hi), nil
	}
	first := h.Lo + int64(i-1)*h.Step
	width := min(uint64(h.Step), uint64(h.Hi-first))
	return big.NewInt(first), big.NewInt(first + int64(width-1))
}

// LogLinear divides the numbers at ascending starts: bucket 0 holds what is
// below the first, bucket i what is from start i-1 to before start i, the last
// what is from the last one on.
type LogLinear []uint64

// Len returns the number of buckets.
func (h LogLinear) Len() int { return len(h) + 1 }

// Range returns the limits of bucket i.
func (h LogLinear) Range(i int) (lo, hi *big.Int) {
	if i > 0 {
		lo = unsigned(h[i-1])
	}
	if i < len(h) {
		hi = unsigned(h[i] - 1)
	}
	return lo, hi
}

// Starts are the numbers at which a bucket begins and one before it ends.
func Starts(b Buckets) []*big.Int {
	starts := make([]*big.Int, 0, b.Len()-1)
	for i := 1; i < b.Len(); i++ {
		lo, _ := b.Range(i)
		starts = append(starts, lo)
	}
	return starts
}

// NegativeLen is how many buckets hold negative numbers only; they are the first.
func NegativeLen(b Buckets) int {
	return sort.Search(b.Len(), func(i int) bool {
		_, hi := b.Range(i)
		return hi == nil || hi.Sign() >= 0
	})
}

// Fold says for each bucket into which of coarser ones it goes, which have
// ascending inclusive upper bounds: bucket i of those holds what is at most
// bounds[i] and more than the one before it, the first what is less too, and the
// last what is above all bounds. It fails where one bucket would go into two.
func Fold(b Buckets, bounds []*big.Int) ([]int, error) {
	into := make([]int, b.Len())
	for i := range into {
		lo, hi := b.Range(i)
		first, last := 0, len(bounds)
		if lo != nil {
			first = boundOf(bounds, lo)
		}
		if hi != nil {
			last = boundOf(bounds, hi)
		}
		if lo != nil && hi != nil && hi.Cmp(lo) < 0 {
			last = first // nothing is in it
		}
		if first != last {
			return nil, fmt.Errorf("bucket %d, of numbers from %v to %v, lies in several exported ones", i, lo, hi)
		}
		into[i] = first
	}
	return into, nil
}

// boundOf is the index of the first bound that n does not exceed.
func boundOf(bounds []*big.Int, n *big.Int) int {
	i, _ := slices.BinarySearchFunc(bounds, n, (*big.Int).Cmp)
	return i
}
