package exporter

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// Histograms are counted into the exported buckets themselves, because ply's
// buckets [2^i, 2^(i+1)) and Prometheus' (lower, upper] differ at every power
// of two, and powers of two of nanoseconds are none of seconds. Bound i is le,
// a number in the exported unit, and threshold, the largest integer of the map
// that is not above it; the code generator counts v where v <= threshold first
// holds.
//
// Which numbers these are the configuration says, else the aggregation with its
// arguments, else they are powers of two.
type bounds struct {
	les        []float64
	thresholds []*big.Int
	powers     bool // all but 0 are powers of two, without a gap
}

const maxBounds = 64

// histogramBounds returns the bounds of the histogram.
func (m *metric) histogramBounds() (bounds, *plylang.Error) {
	switch given := m.givenBuckets(); {
	case given != nil && given.List != nil:
		return m.listedBounds(given.List)
	case given != nil:
		return m.limitedBounds(given)
	}
	own, err := bpfgen.Buckets(m.decl)
	if _, ok := own.(object.Log2); err == nil && !ok {
		return m.ownBounds(own)
	}
	return m.powersOfTwo(m.defaultExponents())
}

func (m *metric) givenBuckets() *config.Buckets {
	if m.given == nil {
		return nil
	}
	return m.given.Buckets
}

// ownBounds are those that the aggregation was asked for in the script: the
// numbers at which a bucket of "run" begins end one here.
func (m *metric) ownBounds(own object.Buckets) (bounds, *plylang.Error) {
	var b bounds
	for _, start := range object.Starts(own) {
		b.add(new(big.Rat).Mul(new(big.Rat).SetInt(start), m.scale.factor), start)
	}
	if n := len(b.les); n > maxBounds {
		return b, &plylang.Error{Src: m.script.Source, Pos: m.decl.Pos, Msg: fmt.Sprintf(
			"%s(…) makes %d bounds of a metric, the limit is %d: use fewer steps, or give others with buckets: in the configuration", m.decl.Agg.Name, n, maxBounds)}
	}
	return b, nil
}

// listedBounds are those of a list in the configuration.
func (m *metric) listedBounds(list []*config.Bound) (bounds, *plylang.Error) {
	var b bounds
	if len(list) > maxBounds {
		return b, m.bucketsError("%d bounds are too many, the limit is %d", len(list), maxBounds)
	}
	for i, given := range list {
		if err := m.fitsUnit(given); err != nil {
			return b, err
		}
		t := floorQuo(given.Number, m.scale.factor)
		if i > 0 && t.Cmp(b.thresholds[len(b.thresholds)-1]) == 0 {
			return b, m.bucketsError("%s and %s are one bound, no number of %s is between them", list[i-1].Text, given.Text, m.decl.Name)
		}
		if !fits(t) {
			return b, m.bucketsError("%s is more than a 64-bit number of %s can reach", given.Text, m.decl.Name)
		}
		b.add(given.Number, t)
	}
	return b, nil
}

// limitedBounds are the powers of two between the limits of the configuration,
// which are rounded outwards.
func (m *metric) limitedBounds(given *config.Buckets) (bounds, *plylang.Error) {
	e := m.defaultExponents()
	for _, end := range []struct {
		given *config.Bound
		round func(*big.Rat) int
		dst   *int
	}{{given.Min, floorLog2, &e.lo}, {given.Max, ceilLog2, &e.hi}} {
		if end.given == nil {
			continue
		}
		if err := m.fitsUnit(end.given); err != nil {
			return bounds{}, err
		}
		if end.given.Number.Sign() == 0 {
			e.zero = true
			continue
		}
		*end.dst = end.round(end.given.Number)
	}
	switch n := e.hi - e.lo + 1; {
	case n < 1:
		return bounds{}, m.noBounds(given, e)
	case n > maxBounds:
		return bounds{}, m.bucketsError("%d bounds from 2^%d to 2^%d are too many, the limit is %d: raise min or lower max", n, e.lo, e.hi, maxBounds)
	}
	return m.powersOfTwo(e)
}

// noBounds is the error for limits between which no bound is. One that is not
// given is the default's.
func (m *metric) noBounds(given *config.Buckets, e exponents) *plylang.Error {
	switch {
	case given.Max == nil:
		return m.bucketsError("min %s is above 2^%d, the highest bound unless max is given, too", given.Min.Text, e.hi)
	case given.Min == nil:
		return m.bucketsError("max %s is below 2^%d, the lowest bound unless min is given, too", given.Max.Text, e.lo)
	case e.zero:
		return m.bucketsError("max %s is below 2^%d, the lowest bound above 0 unless min says another: write a list of bounds", given.Max.Text, e.lo)
	}
	return m.bucketsError("min is above max")
}

func (m *metric) bucketsError(format string, args ...any) *plylang.Error {
	return m.given.At("buckets").Errorf("buckets: "+format, args...)
}

func (m *metric) fitsUnit(b *config.Bound) *plylang.Error {
	if b.Time && m.unit != "seconds" {
		return m.bucketsError("%s is a time, but %s is not in seconds: write a number", b.Text, m.decl.Name)
	}
	return nil
}

// The exponents of bounds 2^lo to 2^hi, which 0 may go before.
type exponents struct {
	lo, hi int
	zero   bool
}

// defaultExponents are those of numbers, or of nanoseconds shown as seconds.
func (m *metric) defaultExponents() exponents {
	if m.unit == "seconds" && m.scale.factor.Cmp(one.factor) != 0 {
		return exponents{lo: -20, hi: 4}
	}
	return exponents{lo: 0, hi: 24}
}

// powersOfTwo returns bounds that are powers of two. Those between which no
// integer lies are one bound.
func (m *metric) powersOfTwo(e exponents) (bounds, *plylang.Error) {
	b := bounds{powers: true}
	if e.zero {
		b.add(new(big.Rat), new(big.Int))
	}
	for i := e.lo; i <= e.hi; i++ {
		t := floorQuo(pow2(i), m.scale.factor)
		if !fits(t) {
			return b, m.bucketsError("max is more than a 64-bit number of %s can reach", m.decl.Name)
		}
		b.add(pow2(i), t)
	}
	return b, nil
}

// add adds a bound that is above all others, or takes the place of the last if no
// integer, or no floating-point number, is between them. A bound of 0 stays: it was
// asked for, and in a bucket up to 256 nobody sees zeros.
func (b *bounds) add(r *big.Rat, threshold *big.Int) {
	le, _ := r.Float64()
	if n := len(b.les); n > 0 && (b.les[n-1] == le || b.thresholds[n-1].Cmp(threshold) == 0) {
		if b.les[n-1] == 0 {
			return
		}
		b.les, b.thresholds = b.les[:n-1], b.thresholds[:n-1]
	}
	b.les, b.thresholds = append(b.les, le), append(b.thresholds, threshold)
}

// text is what "check" says of the bounds.
func (b *bounds) text() string {
	texts := make([]string, len(b.les))
	for i, le := range b.les {
		texts[i] = strconv.FormatFloat(le, 'g', -1, 64)
	}
	first := 0
	if b.les[0] == 0 {
		first = 1
	}
	if n := len(texts); b.powers && n > first+2 {
		texts = append(texts[:first], "the powers of 2 from "+texts[first]+" to "+texts[n-1])
	}
	return strings.Join(texts, ", ")
}

// fits says whether 64 bits, with or without a sign, hold n.
func fits(n *big.Int) bool { return n.IsInt64() || n.IsUint64() }

// floorQuo returns the largest integer that is not above x/y, for positive y.
func floorQuo(x, y *big.Rat) *big.Int {
	r := new(big.Rat).Quo(x, y)
	return new(big.Int).Div(r.Num(), r.Denom()) // Euclidean: of a positive divisor, the floor
}

func pow2(i int) *big.Rat {
	p := new(big.Int).Lsh(big.NewInt(1), uint(max(i, -i)))
	if i < 0 {
		return new(big.Rat).SetFrac(big.NewInt(1), p)
	}
	return new(big.Rat).SetInt(p)
}

// floorLog2 returns the largest i with 2^i <= r, for positive r.
func floorLog2(r *big.Rat) int {
	i := r.Num().BitLen() - r.Denom().BitLen()
	if pow2(i).Cmp(r) > 0 {
		i--
	}
	return i
}

// ceilLog2 returns the smallest i with 2^i >= r, for positive r.
func ceilLog2(r *big.Rat) int {
	i := floorLog2(r)
	if pow2(i).Cmp(r) < 0 {
		i++
	}
	return i
}
