package config

import (
	"math"
	"math/big"
	"regexp"
	"time"
)

// A duration is written as numbers with a unit each, 90s or 1h30m, or as 0.
var (
	durationPart = regexp.MustCompile(`(` + number + `)(ns|us|ms|s|m|h)`)
	durationText = regexp.MustCompile(`^-?(?:0|(?:` + durationPart.String() + `)+)$`)
)

// parseDuration reads a duration. One that is too long for a time.Duration is the
// longest.
func parseDuration(text string) (d time.Duration, ok bool) {
	if len(text) > maxNumberText || !durationText.MatchString(text) {
		return 0, false
	}
	sum := new(big.Rat)
	for _, part := range durationPart.FindAllStringSubmatch(text, -1) {
		n, ok := parseNumber(part[1])
		if !ok {
			return 0, false
		}
		sum.Add(sum, n.Mul(n, boundSuffixes[part[2]].factor))
	}
	ns, _ := sum.Mul(sum, big.NewRat(int64(time.Second), 1)).Float64()
	if d = math.MaxInt64; ns < math.MaxInt64 {
		d = time.Duration(ns)
	}
	if text[0] == '-' {
		d = -d
	}
	return d, true
}

// duration reads a time with its unit.
func (v value) duration(what string, least, most time.Duration) time.Duration {
	word := v.word(what)
	if word == "" {
		return 0
	}
	d, ok := parseDuration(word)
	if !ok || d < least || d > most {
		v.fail("%s must be a time such as 10s or 1h30m, not %q", what, word)
		return 0
	}
	return d
}
