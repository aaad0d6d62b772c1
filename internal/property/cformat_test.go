package property

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A conversion of printf, as the C standard describes it and without the help
// of package fmt's own. What differs from C is written in docs/language.md: a
// value has its own width and sign, and text is made harmless.

// A spec is one conversion of a format.
type spec struct {
	flags       string
	width, prec int // -1: none
	verb        byte
}

// String is the conversion as it stands in a script.
func (s spec) String() string {
	out := "%" + s.flags
	if s.width >= 0 {
		out += strconv.Itoa(s.width)
	}
	if s.prec >= 0 {
		out += "." + strconv.Itoa(s.prec)
	}
	return out + string(s.verb)
}

// parseSpec reads the conversion at the beginning of format, behind its "%".
func parseSpec(format string) (s spec, rest string) {
	rest = strings.TrimLeft(format, "-+ #0")
	s.flags = format[:len(format)-len(rest)]
	s.width, rest = leadingNumber(rest)
	s.prec = -1
	if rest[0] == '.' {
		s.prec, rest = leadingNumber(rest[1:])
		s.prec = max(s.prec, 0)
	}
	s.verb = rest[0]
	return s, rest[1:]
}

func leadingNumber(s string) (n int, rest string) {
	rest = strings.TrimLeft(s, "0123456789")
	n, err := strconv.Atoi(s[:len(s)-len(rest)])
	if err != nil {
		n = -1
	}
	return n, rest
}

func (s spec) has(flag string) bool { return strings.Contains(s.flags, flag) }

// formatC formats values.
func formatC(format string, values []value, types []typ) string {
	var b strings.Builder
	for {
		text, rest, found := strings.Cut(format, "%")
		b.WriteString(text)
		if !found {
			return b.String()
		}
		if rest[0] == '%' {
			b.WriteByte('%')
			format = rest[1:]
			continue
		}
		var s spec
		s, format = parseSpec(rest)
		b.WriteString(s.convert(values[0], types[0]))
		values, types = values[1:], types[1:]
	}
}

func (s spec) convert(v value, t typ) string {
	negative := !t.unsigned && int64(v.bits) < 0
	magnitude := v.bits
	if negative {
		magnitude = -magnitude
	}
	own := v.bits // the value's own bits
	if t.size < 8 {
		own &= 1<<(8*t.size) - 1
	}
	switch s.verb {
	case 'd', 'i':
		return s.digits(s.sign(negative), strconv.FormatUint(magnitude, 10))
	case 'u':
		return s.digits("", strconv.FormatUint(own, 10))
	case 'x', 'X':
		return s.hex(own)
	case 'o':
		return s.octal(own)
	case 'c':
		return s.pad("", string([]byte{byte(v.bits)}), false)
	case 'p':
		return s.pad("", "0x"+strconv.FormatUint(v.bits, 16), false)
	case 'f', 'F', 'e', 'E', 'g', 'G':
		return s.float(negative, magnitude)
	}
	return s.other(v, t)
}

// other formats for %s and %v.
func (s spec) other(v value, t typ) string {
	text := v.text
	switch {
	case t.duration:
		text = scaled(int64(v.bits))
	case !v.isText && t.unsigned:
		text = strconv.FormatUint(v.bits, 10)
	case !v.isText:
		text = strconv.FormatInt(int64(v.bits), 10)
	}
	if s.prec >= 0 && s.prec < len(text) {
		text = text[:s.prec]
	}
	return s.pad("", harmless(text), false)
}

// scaled is a duration in the largest unit that leaves it at least one, cut
// after three digits, without zeros at the end of a fraction.
func scaled(ns int64) string {
	if ns < 0 {
		return "-" + scaledDigits(strconv.FormatUint(-uint64(ns), 10))
	}
	return scaledDigits(strconv.FormatInt(ns, 10))
}

func scaledDigits(digits string) string {
	unit := min((len(digits)-1)/3, 3)
	whole, fraction := digits[:len(digits)-3*unit], digits[len(digits)-3*unit:]
	fraction = strings.TrimRight(fraction[:min(max(3-len(whole), 0), len(fraction))], "0")
	if fraction != "" {
		fraction = "." + fraction
	}
	return whole + fraction + []string{"ns", "us", "ms", "s"}[unit]
}

// harmless writes what is no text as \xhh.
func harmless(text string) string {
	var b strings.Builder
	for i, r := range text {
		_, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n == 1 || r < ' ' && r != '\n' && r != '\t' {
			fmt.Fprintf(&b, `\x%02x`, text[i])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func (s spec) sign(negative bool) string {
	switch {
	case negative:
		return "-"
	case s.has("+"):
		return "+"
	case s.has(" "):
		return " "
	}
	return ""
}

// digits are at least as many as the precision; zero has none without one.
func (s spec) digits(prefix, digits string) string {
	if s.prec == 0 && digits == "0" {
		digits = ""
	}
	if missing := s.prec - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	return s.pad(prefix, digits, s.prec < 0)
}

func (s spec) hex(n uint64) string {
	prefix, digits := "", strconv.FormatUint(n, 16)
	if s.has("#") && n != 0 {
		prefix = "0x"
	}
	out := s.digits(prefix, digits)
	if s.verb == 'X' {
		out = strings.ToUpper(out)
	}
	return out
}

// octal begins with a 0 where "#" asks for it, which is a digit.
func (s spec) octal(n uint64) string {
	digits := strconv.FormatUint(n, 8)
	if s.has("#") && s.prec <= len(digits) && (n != 0 || s.prec == 0) {
		if n == 0 {
			return s.pad("", "0", false)
		}
		digits = "0" + digits
	}
	return s.digits("", digits)
}

func (s spec) float(negative bool, magnitude uint64) string {
	prec := s.prec
	if prec < 0 {
		prec = 6
	}
	out := ""
	switch f := float64(magnitude); s.verb | 0x20 {
	case 'g':
		out = s.shorter(f, max(prec, 1))
	default:
		out = s.pointed(strconv.FormatFloat(f, s.verb|0x20, prec, 64))
	}
	if s.verb < 'a' {
		out = strings.ToUpper(out)
	}
	return s.pad(s.sign(negative), out, true)
}

// pointed has a decimal point where "#" asks for it.
func (s spec) pointed(number string) string {
	if !s.has("#") || strings.Contains(number, ".") {
		return number
	}
	mantissa, exponent, found := strings.Cut(number, "e")
	if found {
		return mantissa + ".e" + exponent
	}
	return number + "."
}

// shorter is the shorter one of %e and %f, as the exponent says, without zeros
// at the end of its fraction unless "#" asks for them.
func (s spec) shorter(f float64, prec int) string {
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', prec-1, 64), "e")
	x, err := strconv.Atoi(exponent)
	if err != nil {
		panic(err)
	}
	if fits := x < prec && x >= -4; fits {
		mantissa, exponent = strconv.FormatFloat(f, 'f', prec-1-x, 64), ""
	} else {
		exponent = "e" + exponent
	}
	if s.has("#") {
		return s.pointed(mantissa + exponent)
	}
	if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	return mantissa + exponent
}

// pad brings text to the width: with zeros behind the prefix where the flag
// asks for it, else with blanks.
func (s spec) pad(prefix, text string, zeros bool) string {
	missing := max(0, s.width-utf8.RuneCountInString(prefix+text))
	switch {
	case s.has("-"):
		return prefix + text + strings.Repeat(" ", missing)
	case zeros && s.has("0"):
		return prefix + strings.Repeat("0", missing) + text
	}
	return strings.Repeat(" ", missing) + prefix + text
}
