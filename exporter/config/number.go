package config

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

// Numbers are written as in YAML and in C: with 0x, 0b, or 0o or 0 before octal
// digits, and in decimal digits with a point and an exponent.
const number = `0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?`

var (
	wholeNumber = regexp.MustCompile(`^(?:` + number + `)$`)
	bound       = regexp.MustCompile(`^(-?)(` + number + `)(ns|us|ms|s|m|h|[kKMG]i?)?$`)
	digitsOnly  = regexp.MustCompile(`^[0-9]+$`)
)

// maxNumberText is longer than any number that is meant.
const maxNumberText = 32

// parseNumber reads a number exactly.
func parseNumber(text string) (*big.Rat, bool) {
	if len(text) > maxNumberText || !wholeNumber.MatchString(text) {
		return nil, false
	}
	if len(text) > 1 && text[0] == '0' && (digitsOnly.MatchString(text) || strings.ContainsAny(text[1:2], "xXoObB")) {
		n, ok := new(big.Int).SetString(text, 0)
		if !ok {
			return nil, false
		}
		return new(big.Rat).SetInt(n), true
	}
	return new(big.Rat).SetString(text)
}

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
	Text   string
	Number *big.Rat
	Time   bool // it has a time suffix, and is in seconds
}

// ParseBound reads a bound: a number, a duration or a size, which may be negative.
func ParseBound(text string) (*Bound, error) {
	m := bound.FindStringSubmatch(text)
	if m == nil || len(text) > maxNumberText {
		return nil, fmt.Errorf("%q is no number, duration (10ms) or size (4Ki)", text)
	}
	suffix := m[3]
	if len(suffix) == 2 && suffix[1] == 'i' {
		suffix = suffix[:1]
	}
	r, ok := parseNumber(m[2])
	if !ok {
		return nil, fmt.Errorf("%q begins with 0, as octal numbers do, but is none", text)
	}
	if m[1] != "" {
		r.Neg(r)
	}
	s := boundSuffixes[suffix]
	return &Bound{text, r.Mul(r, s.factor), s.Time}, nil
}

// ParseInteger reads a whole number, which may be negative.
func ParseInteger(text string) (*big.Int, bool) {
	digits, negative := strings.CutPrefix(text, "-")
	r, ok := parseNumber(digits)
	if !ok || !r.IsInt() {
		return nil, false
	}
	n := new(big.Int).Set(r.Num())
	if negative {
		n.Neg(n)
	}
	return n, true
}
