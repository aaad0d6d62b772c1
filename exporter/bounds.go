package exporter

import (
	"math"
	"math/big"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// Histograms are counted into the exported buckets themselves, because ply's
// buckets [2^i, 2^(i+1)) and Prometheus' (lower, upper] differ at every power
// of two, and powers of two of nanoseconds are none of seconds. Bound i is le,
// a power of two in the exported unit, and the largest integer of the map that
// is not above it; the code generator counts v where v <= threshold first
// holds.
type bounds struct {
	les        []float64
	thresholds []uint64
}

const maxBounds = 64

// The default bounds are 2^lo to 2^hi.
type exponents struct{ lo, hi int }

var (
	numberBounds   = exponents{0, 24}
	durationBounds = exponents{-20, 4}
)

// histogramBounds returns the bounds of a histogram in unit, whose integers s
// scales. m may be nil.
func histogramBounds(unit string, s scale, m *config.Metric) (bounds, *plylang.Error) {
	e := numberBounds
	if unit == "seconds" && s.factor.Cmp(one.factor) != 0 {
		e = durationBounds
	}
	if m != nil && m.Buckets != nil {
		var err *plylang.Error
		if e, err = e.limit(unit, m); err != nil {
			return bounds{}, err
		}
	}
	b, ok := powersOfTwo(e, s)
	if !ok && m != nil {
		return b, m.At("buckets").Errorf("buckets: max is more than a 64-bit number of %s can reach", m.Map)
	}
	return b, nil
}

// limit replaces the exponents by what the user wrote, rounded outwards.
func (e exponents) limit(unit string, m *config.Metric) (exponents, *plylang.Error) {
	at := m.At("buckets")
	for _, end := range []struct {
		given *config.Bound
		round func(*big.Rat) int
		dst   *int
	}{{m.Buckets.Min, floorLog2, &e.lo}, {m.Buckets.Max, ceilLog2, &e.hi}} {
		b := end.given
		if b == nil {
			continue
		}
		if b.Time && unit != "seconds" {
			return e, at.Errorf("buckets: %s is a time, but %s is not in seconds: write a number", b.Text, m.Map)
		}
		*end.dst = end.round(b.Number)
	}
	switch n := e.hi - e.lo + 1; {
	case n < 1:
		return e, at.Errorf("buckets: min is above max")
	case n > maxBounds:
		return e, at.Errorf("buckets: %d bounds from 2^%d to 2^%d are too many, the limit is %d: raise min or lower max", n, e.lo, e.hi, maxBounds)
	}
	return e, nil
}

// powersOfTwo returns the bounds 2^lo to 2^hi. Bounds between which no integer
// lies are one bound. It is not ok when a threshold exceeds 63 bits.
func powersOfTwo(e exponents, s scale) (b bounds, ok bool) {
	for i := e.lo; i <= e.hi; i++ {
		r := new(big.Rat).Quo(pow2(i), s.factor)
		t := new(big.Int).Quo(r.Num(), r.Denom())
		if !t.IsInt64() {
			return b, false
		}
		le := math.Ldexp(1, i)
		if n := len(b.thresholds); n > 0 && b.thresholds[n-1] == t.Uint64() {
			b.les[n-1] = le
			continue
		}
		b.les = append(b.les, le)
		b.thresholds = append(b.thresholds, t.Uint64())
	}
	return b, true
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
