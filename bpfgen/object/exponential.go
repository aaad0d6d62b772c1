package object

import (
	"math"
	"math/big"
	"slices"
)

// Native histograms
//
// A native histogram of Prometheus has buckets without end: bucket i of schema s
// holds (2^((i-1)/2^s), 2^(i/2^s)], so that 2^s of them make an octave, which is
// what is between two powers of two. Negative numbers have buckets that mirror
// these, and zero has one of its own. The next lower schema joins two buckets to one.
//
// The numbers of a map are integers, the bounds are in the exported unit. With
// factor f between them, bucket i ends at threshold t = floor(2^(i/2^s) / f): the
// integer v belongs to the first bucket with v <= t. Where no integer is between two
// bounds a bucket stays empty, so that the place of a bucket follows from its octave.
//
// The code generator finds the octave by comparing, and what is within it without a
// jump: numbers shifted so far that their octave becomes the highest one have the
// same thresholds in all of them. v·2^n <= 2^n·b/f holds for an integer on the left
// exactly if it holds for the floor of the right side.

// Exponential divides the numbers as a native histogram does, and at other bounds,
// too. The bucket of a number is as many as there are ends below it.
type Exponential struct {
	Bounds // all ends; equal ones end buckets that hold nothing

	// Negative says how the amounts of negative numbers are divided, Positive how
	// other numbers are.
	Negative, Positive Octaves

	// More are the ends that are not those of a native histogram. What is below
	// zero need not end with -1.
	More Bounds

	// Zero is the place of zero's bucket among those of the native histogram.
	Zero int

	native []int // for each bucket, how many of those are before it
}

// Octaves divide the numbers from 0 on. Bucket 0 is that of zero, and bucket i of
// the others is Lowest+i of the native histogram.
type Octaves struct {
	Schema int
	Lowest int

	// Ends are the ends of the octaves, 0 first, but for the last one, which ends
	// with the numbers.
	Ends []uint64

	// Within are the thresholds within an octave of numbers that are shifted to the
	// left: by Shift in the first octave, by one less in each that follows.
	Within []uint64
	Shift  int

	// Above are the thresholds within the last octave where its numbers are more
	// than are shifted; see Cut.
	Above []uint64
}

// NewExponential returns the buckets of a schema for numbers that factor brings to
// the exported unit, which more ends cut further. Numbers with a sign have 63 bits;
// negative ones are divided by a schema of theirs, which is not larger.
func NewExponential(schema, negative int, factor *big.Rat, signed bool, more []*big.Int) *Exponential {
	e := &Exponential{Positive: newOctaves(schema, factor, math.MaxUint64), Negative: Octaves{Ends: []uint64{0}}}
	if signed {
		e.Positive = newOctaves(schema, factor, math.MaxInt64)
		e.Negative = newOctaves(negative, factor, 1<<63)
	}
	e.merge(more)
	return e
}

// newOctaves divides the numbers up to most.
func newOctaves(schema int, factor *big.Rat, most uint64) Octaves {
	first := firstOctave(factor)
	o := Octaves{Schema: schema, Lowest: first << schema, Ends: []uint64{0}}
	last := first
	for ; ; last++ {
		end := threshold(power(last+1, 0, 0), factor)
		if end.Cmp(unsigned(most)) >= 0 {
			break
		}
		o.Ends = append(o.Ends, end.Uint64())
	}
	if end := threshold(power(last+1, 0, 0), factor); end.Cmp(new(big.Int).Lsh(big.NewInt(1), 64)) > 0 {
		o.Above = withinOctave(schema, last, factor)
		last--
	}
	o.Within, o.Shift = withinOctave(schema, last, factor), last-first
	return o
}

// firstOctave is the exponent of the power of two above which the octave of the
// smallest integer begins.
func firstOctave(factor *big.Rat) int {
	e := factor.Num().BitLen() - factor.Denom().BitLen() + 1
	for threshold(power(e, 0, 0), factor).Sign() > 0 {
		e--
	}
	return e
}

// withinOctave are the thresholds between 2^exponent and the next power that fit 64
// bits.
func withinOctave(schema, exponent int, factor *big.Rat) (all []uint64) {
	for i := 1; i < 1<<schema; i++ {
		if t := threshold(power(exponent, i, schema), factor); t.IsUint64() {
			all = append(all, t.Uint64())
		}
	}
	return all
}

// power is 2^(exponent + i/2^schema), so exactly that it is nearer to an irrational number
// than any that is compared with it.
func power(exponent, i, schema int) *big.Rat {
	const precision = 256
	x, root := big.NewFloat(1).SetPrec(precision), big.NewFloat(2).SetPrec(precision)
	for bit := 1 << schema >> 1; bit > 0; bit >>= 1 {
		root.Sqrt(root)
		if i&bit != 0 {
			x.Mul(x, root)
		}
	}
	r, _ := x.SetMantExp(x, exponent).Rat(nil)
	return r
}

// threshold is the largest integer that factor does not bring above a bound.
func threshold(bound, factor *big.Rat) *big.Int {
	r := new(big.Rat).Quo(bound, factor)
	return new(big.Int).Quo(r.Num(), r.Denom())
}

// Cut says whether numbers of the last octave are not shifted, because 64 bits would
// not hold all that its bounds are compared with.
func (o *Octaves) Cut() bool { return o.Shift < len(o.Ends)-1 }

// thresholds are the ends of the buckets of numbers up to most, but for the last one.
func (o *Octaves) thresholds(most uint64) (all []uint64) {
	for i, end := range o.Ends {
		all = append(all, end)
		within, down := o.Within, o.Shift-i
		if down < 0 {
			within, down = o.Above, 0
		}
		for _, t := range within {
			if t >>= down; t < most {
				all = append(all, t)
			}
		}
	}
	return all
}

// merge puts the ends of both sides and of more into one list.
func (e *Exponential) merge(more []*big.Int) {
	var ends []*big.Int
	for _, t := range slices.Backward(e.Negative.thresholds(1 << 63)) {
		ends = append(ends, new(big.Int).Not(unsigned(t))) // -t-1
	}
	e.Zero = len(ends)
	for _, t := range e.Positive.thresholds(math.MaxUint64) {
		ends = append(ends, unsigned(t))
	}
	isOwn := func(n *big.Int) bool { _, yes := slices.BinarySearchFunc(ends, n, (*big.Int).Cmp); return yes }
	more = slices.DeleteFunc(slices.Clone(more), func(n *big.Int) bool { return isOwn(n) || !n.IsInt64() && !n.IsUint64() })
	e.More = splitBounds(more)
	before := 0
	all := slices.SortedFunc(slices.Values(slices.Concat(ends, more)), (*big.Int).Cmp)
	for _, n := range all {
		e.native = append(e.native, before)
		if len(more) > 0 && n.Cmp(more[0]) == 0 {
			more = more[1:]
		} else {
			before++
		}
	}
	e.native = append(e.native, before)
	e.Bounds = splitBounds(all)
}

// Native says of which bucket of a native histogram bucket i is a part: of negative
// numbers with sign -1, of zero with 0, of others with 1.
func (e *Exponential) Native(i int) (sign, index int) {
	switch n := e.native[i] - e.Zero; {
	case n < 0:
		return -1, e.Negative.Lowest - n
	case n == 0:
		return 0, 0
	default:
		return 1, e.Positive.Lowest + n
	}
}
