package plylang

import (
	"math"
	"math/bits"
	"strings"
)

// A number is the meaning of a literal.
type number struct {
	value uint64
	unit  Unit
}

// suffixes are what may follow the digits of a number. Sizes are powers of
// 1024, as sizes are printed.
var suffixes = map[string]number{
	"":   {1, Plain},
	"ns": {1, Duration},
	"us": {1e3, Duration},
	"ms": {1e6, Duration},
	"s":  {1e9, Duration},
	"m":  {60e9, Duration},
	"h":  {3600e9, Duration},
	"k":  {1 << 10, Plain}, "ki": {1 << 10, Plain}, "K": {1 << 10, Plain}, "Ki": {1 << 10, Plain},
	"M": {1 << 20, Plain}, "Mi": {1 << 20, Plain},
	"G": {1 << 30, Plain}, "Gi": {1 << 30, Plain},
}

// number reads a literal:
//
//	number = ( digits | "0x" hexdigits | "0b" bits | "0" octdigits ) [ suffix ]
//
// with "_" between digits. What is wrong is reported, and a number returned,
// so that the statement around it is checked too.
func (l *lexer) number() token {
	pos := l.off
	for l.off < len(l.text) && (isLetter(l.text[l.off]) || isDigit(l.text[l.off])) {
		l.off++
	}
	if rest := l.text[l.off:]; len(rest) > 1 && rest[0] == '.' && isDigit(rest[1]) {
		l.off++
		for l.off < len(l.text) && (isLetter(l.text[l.off]) || isDigit(l.text[l.off])) {
			l.off++
		}
		l.errorf(pos, "%s: numbers are whole, use a smaller unit (1500ms for 1.5s)", short(l.text[pos:l.off]))
		return l.token(NUMBER, pos)
	}
	t := l.token(NUMBER, pos)
	n, msg := parseNumber(t.text)
	if msg != "" {
		l.errorf(pos, "%s: %s", short(t.text), msg)
	}
	t.num = n
	return t
}

// parseNumber returns the meaning of a literal, or what is wrong with it.
func parseNumber(text string) (number, string) {
	base, digits := splitBase(text)
	n := digitsLen(digits, base)
	suffix := digits[n:]
	digits = digits[:n]
	unit, known := suffixes[suffix]
	switch {
	case !known && suffix != "" && isDigit(suffix[0]):
		return number{}, badDigit(suffix[0], base)
	case digits == "":
		return number{}, "digits are missing after " + text[:2]
	case digits[0] == '_' || strings.HasSuffix(digits, "_") || strings.Contains(digits, "__"):
		return number{}, `"_" is allowed only between two digits`
	case !known:
		return number{}, "no suffix " + short(suffix) + "; there are ns us ms s m h for times and k M G for sizes"
	}
	value, ok := parseDigits(digits, base)
	hi, lo := bits.Mul64(value, unit.value)
	if !ok || hi != 0 {
		return number{}, "number does not fit 64 bits"
	}
	if unit.unit == Duration && lo > math.MaxInt64 {
		return number{}, "longer than 292 years"
	}
	return number{lo, unit.unit}, ""
}

// splitBase returns a literal's base and what follows the base's prefix.
func splitBase(text string) (base int, digits string) {
	switch {
	case len(text) < 2 || text[0] != '0':
		return 10, text
	case text[1]|0x20 == 'x':
		return 16, text[2:]
	case text[1]|0x20 == 'b':
		return 2, text[2:]
	}
	return 8, text // the leading 0 is a digit, or all of them
}

func badDigit(c byte, base int) string {
	if base == 8 {
		return string(c) + " is no octal digit; a leading 0 makes a number octal, leave it out"
	}
	return string(c) + " is no binary digit"
}

// digitsLen returns how much of s is digits of the base.
func digitsLen(s string, base int) int {
	n := 0
	for n < len(s) && (s[n] == '_' || digit(s[n]) < base) {
		n++
	}
	return n
}

func digit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return 16
}

func parseDigits(s string, base int) (value uint64, ok bool) {
	for i := range len(s) {
		if s[i] == '_' {
			continue
		}
		hi, lo := bits.Mul64(value, uint64(base))
		sum, carry := bits.Add64(lo, uint64(digit(s[i])), 0)
		if hi != 0 || carry != 0 {
			return 0, false
		}
		value = sum
	}
	return value, true
}
