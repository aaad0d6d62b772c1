package object

import (
	"fmt"
	"slices"
)

// Log2 divides the numbers by powers of two, each cut into 2^Bits equal parts.
// Values below 2^(Bits+1) have a bucket each; but 0 and 1 share one when Bits
// is 0. The last bucket has no upper limit: it has unsigned numbers from 2^63 on
// too.
type Log2 struct{ Bits int }

// Exact is the number of buckets before the first that a power is cut into.
func (h Log2) Exact() int {
	if h.Bits == 0 {
		return 1
	}
	return 2 << h.Bits
}

// Len returns the number of buckets.
func (h Log2) Len() int { return 1 + h.Exact() + (62-h.Bits)<<h.Bits }

// Range returns the limits of bucket i.
func (h Log2) Range(i int) (lo, hi int64, hasLo, hasHi bool) {
	n := i - 1
	switch {
	case i == 0:
		return 0, -1, false, true
	case h.Bits == 0 && n == 0:
		return 0, 1, true, true
	case n < h.Exact():
		return int64(n), int64(n), true, true
	}
	n -= h.Exact()
	power, part := h.Bits+1+n>>h.Bits, int64(n&(1<<h.Bits-1))
	if h.Bits == 0 {
		power, part = 1+n, 0
	}
	width := int64(1) << (power - h.Bits)
	lo = int64(1)<<power + part*width
	return lo, lo + (width - 1), true, i < h.Len()-1
}

// Bounds divides the numbers from 0 on by ascending inclusive upper bounds.
// Bucket 0 holds the negative ones, bucket 1+i what is at most bounds[i] and
// more than the one before it, the last what is above all.
type Bounds []uint64

// Len returns the number of buckets.
func (b Bounds) Len() int { return len(b) + 2 }

// Range returns the limits of bucket i.
func (b Bounds) Range(i int) (lo, hi int64, hasLo, hasHi bool) {
	if i == 0 {
		return 0, -1, false, true
	}
	if i > 1 {
		lo = int64(b[i-2]) + 1
	}
	if i <= len(b) {
		return lo, int64(b[i-1]), true, true
	}
	return lo, 0, true, false
}

// Linear divides the numbers from Lo to Hi into steps. Bucket 0 holds what is
// below Lo, the last what is from Hi on.
type Linear struct{ Lo, Hi, Step int64 }

// Steps is the number of buckets between Lo and Hi.
func (h Linear) Steps() int { return int((uint64(h.Hi-h.Lo)-1)/uint64(h.Step) + 1) }

// Len returns the number of buckets.
func (h Linear) Len() int { return h.Steps() + 2 }

// Range returns the limits of bucket i.
func (h Linear) Range(i int) (lo, hi int64, hasLo, hasHi bool) {
	switch {
	case i == 0:
		return 0, h.Lo - 1, false, true
	case i > h.Steps():
		return h.Hi, 0, true, false
	}
	lo = h.Lo + int64(i-1)*h.Step
	width := min(uint64(h.Step), uint64(h.Hi-lo))
	return lo, lo + int64(width-1), true, true
}

// LogLinear divides the numbers at ascending starts: bucket 0 holds what is
// below the first, bucket i what is from start i-1 to before start i, the last
// what is from the last one on.
type LogLinear []uint64

// Len returns the number of buckets.
func (h LogLinear) Len() int { return len(h) + 1 }

// Range returns the limits of bucket i.
func (h LogLinear) Range(i int) (lo, hi int64, hasLo, hasHi bool) {
	if hasLo = i > 0; hasLo {
		lo = int64(h[i-1])
	}
	if hasHi = i < len(h); hasHi {
		hi = int64(h[i]) - 1
	}
	return lo, hi, hasLo, hasHi
}

// Fold says for each bucket into which of coarser ones it goes, which have
// ascending inclusive upper bounds: bucket i of those holds what is at most
// bounds[i] and more than the one before it, the first negative numbers too,
// and the last what is above all bounds. It fails where one bucket would go into
// two.
func Fold(b Buckets, bounds []uint64) ([]int, error) {
	into := make([]int, b.Len())
	for i := range into {
		lo, hi, hasLo, hasHi := b.Range(i)
		first, last := 0, len(bounds)
		if hasLo {
			first = boundOf(bounds, lo)
		}
		if hasHi {
			last = boundOf(bounds, hi)
		}
		if first != last {
			return nil, fmt.Errorf("bucket %d, of numbers from %d to %d, lies in several exported ones", i, lo, hi)
		}
		into[i] = first
	}
	return into, nil
}

// boundOf is the index of the first bound that n does not exceed.
func boundOf(bounds []uint64, n int64) int {
	if n < 0 {
		return 0
	}
	i, _ := slices.BinarySearch(bounds, uint64(n))
	return i
}
