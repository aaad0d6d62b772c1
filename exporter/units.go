package exporter

import (
	"fmt"
	"math/big"
	"regexp"

	"ply-exporter/plylang"
)

// The units a metric may have, and what its name ends in.
var (
	unitNames  = []string{"seconds", "bytes", "ratio", "none"}
	unitSuffix = map[string]string{"seconds": "_seconds", "bytes": "_bytes", "ratio": "_ratio", "none": "", "": ""}
)

// A scale turns a map's integers into exported numbers. Dividing by a whole
// number gives the nearest float64 where multiplying by its inverse may not.
type scale struct {
	factor   *big.Rat
	divisor  float64 // not 0 when the factor is one over a whole number
	multiple float64
}

var (
	one         = newScale(big.NewRat(1, 1))
	nanoseconds = newScale(big.NewRat(1, 1e9))
)

func newScale(factor *big.Rat) scale {
	s := scale{factor: factor}
	s.multiple, _ = factor.Float64()
	if factor.Num().Cmp(big.NewInt(1)) == 0 {
		s.divisor, _ = new(big.Float).SetInt(factor.Denom()).Float64()
	}
	return s
}

// apply scales v.
func (s scale) apply(v float64) float64 {
	if s.divisor != 0 {
		return v / s.divisor
	}
	return v * s.multiple
}

// inferUnit returns the unit and the scale of numbers of type t, refined by
// what the user says of the metric m, which may be nil. Durations are
// nanoseconds inside and seconds outside.
func inferUnit(t *plylang.Type, m *Metric) (unit string, s scale, errs plylang.ErrorList) {
	duration := t != nil && t.Unit == plylang.Duration
	s = one
	if duration {
		unit, s = "seconds", nanoseconds
	}
	if m == nil {
		return unit, s, nil
	}
	if m.Unit != "" {
		if duration && m.Unit != "seconds" {
			errs = append(errs, m.at("unit").errorf("%s holds durations, which are exported in seconds: unit %s cannot be", m.Map, m.Unit))
		}
		unit = m.Unit
	}
	if m.Scale != "" {
		if duration {
			errs = append(errs, m.at("scale").errorf("%s holds durations, which are turned into seconds without a scale: remove it", m.Map))
		}
		if factor, ok := parseDecimal(m.Scale); ok {
			s = newScale(factor)
		}
	}
	return unit, s, errs
}

var (
	decimal = regexp.MustCompile(`^(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?$`)
	bound   = regexp.MustCompile(`^((?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?)(ns|us|ms|s|m|h|[kKMG]i?)?$`)
)

// boundSuffixes give times in seconds and sizes in powers of 1024.
var boundSuffixes = map[string]struct {
	factor *big.Rat
	time   bool
}{
	"":   {big.NewRat(1, 1), false},
	"ns": {big.NewRat(1, 1e9), true},
	"us": {big.NewRat(1, 1e6), true},
	"ms": {big.NewRat(1, 1e3), true},
	"s":  {big.NewRat(1, 1), true},
	"m":  {big.NewRat(60, 1), true},
	"h":  {big.NewRat(3600, 1), true},
	"k":  {big.NewRat(1<<10, 1), false},
	"K":  {big.NewRat(1<<10, 1), false},
	"M":  {big.NewRat(1<<20, 1), false},
	"G":  {big.NewRat(1<<30, 1), false},
}

// A boundValue is a bound of a histogram as it was written.
type boundValue struct {
	number *big.Rat
	time   bool // it has a time suffix, and is in seconds
}

func parseBound(text string) (boundValue, error) {
	m := bound.FindStringSubmatch(text)
	if m == nil || len(text) > 32 {
		return boundValue{}, fmt.Errorf("%q is no number, duration (10ms) or size (4Ki)", text)
	}
	suffix := m[2]
	if len(suffix) == 2 && suffix[1] == 'i' {
		suffix = suffix[:1]
	}
	r, ok := new(big.Rat).SetString(m[1])
	if !ok || r.Sign() <= 0 {
		return boundValue{}, fmt.Errorf("%q is not above 0", text)
	}
	s := boundSuffixes[suffix]
	return boundValue{r.Mul(r, s.factor), s.time}, nil
}
