package config

import (
	"fmt"
	"math/big"
	"regexp"
)

var (
	decimal = regexp.MustCompile(`^(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?$`)
	bound   = regexp.MustCompile(`^((?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?)(ns|us|ms|s|m|h|[kKMG]i?)?$`)
)

// boundSuffixes give times in seconds and sizes in powers of 1024.
var boundSuffixes = map[string]struct {
	factor *big.Rat
	Time   bool
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

// A Bound is a bound of a histogram as it was written.
type Bound struct {
	Number *big.Rat
	Time   bool // it has a time suffix, and is in seconds
}

// ParseBound reads a bound: a number, a duration or a size.
func ParseBound(text string) (Bound, error) {
	m := bound.FindStringSubmatch(text)
	if m == nil || len(text) > 32 {
		return Bound{}, fmt.Errorf("%q is no number, duration (10ms) or size (4Ki)", text)
	}
	suffix := m[2]
	if len(suffix) == 2 && suffix[1] == 'i' {
		suffix = suffix[:1]
	}
	r, ok := new(big.Rat).SetString(m[1])
	if !ok || r.Sign() <= 0 {
		return Bound{}, fmt.Errorf("%q is not above 0", text)
	}
	s := boundSuffixes[suffix]
	return Bound{r.Mul(r, s.factor), s.Time}, nil
}

// ParseDecimal reads a decimal number exactly.
func ParseDecimal(text string) (*big.Rat, bool) {
	if len(text) > 32 || !decimal.MatchString(text) {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}
