package decode

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Sprintf formats values as C's printf does, but for the values' widths and
// signs, which are their own: %d shows all of a 64-bit number, and -1 where
// the value is signed. %v is a value's own text. The checker has seen to it
// that format and values fit. Control characters in a value are escaped.
func (d *Decoder) Sprintf(format string, values []object.Value) string {
	pieces, err := plylang.ParseFormat(format)
	if err != nil {
		return format
	}
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.Text)
		if p.Verb != 0 && len(values) > 0 {
			b.WriteString(d.convert(p, values[0]))
			values = values[1:]
		}
	}
	return b.String()
}

// convert formats one value.
func (d *Decoder) convert(p plylang.Conversion, v object.Value) string {
	switch p.Verb {
	case 'd', 'i':
		n := v.Int()
		if v.Type.Signed && n < 0 {
			return digitsText(p, "-", strconv.FormatUint(-uint64(n), 10))
		}
		return digitsText(p, plus(p), strconv.FormatUint(uint64(n), 10))
	case 'u', 'x', 'X', 'o':
		return bits(p, v)
	case 'c':
		return fmt.Sprintf(widthOnly(p, 's'), string([]byte{byte(v.Int())}))
	case 'p':
		return fmt.Sprintf(widthOnly(p, 's'), "0x"+strconv.FormatUint(uint64(v.Int()), 16))
	case 's', 'v':
		return cut(p, d.Text(v))
	case 'f', 'F', 'e', 'E', 'g', 'G', 'a', 'A':
		return float(p, v)
	}
	panic(fmt.Sprintf("conversion %%%c", p.Verb))
}

// plus is what stands before a signed number that is not negative.
func plus(p plylang.Conversion) string {
	switch {
	case strings.Contains(p.Flags, "+"):
		return "+"
	case strings.Contains(p.Flags, " "):
		return " "
	}
	return ""
}

// bits shows a value's bits in its own width.
func bits(p plylang.Conversion, v object.Value) string {
	n := uint64(v.Int())
	if size := v.Type.Size; size < 8 {
		n &= 1<<(8*size) - 1
	}
	sharp := strings.Contains(p.Flags, "#")
	switch {
	case p.Verb == 'u':
		return digitsText(p, "", strconv.FormatUint(n, 10))
	case p.Verb == 'o':
		return octal(p, n, sharp)
	}
	prefix := ""
	if sharp && n != 0 {
		prefix = "0x"
	}
	s := digitsText(p, prefix, strconv.FormatUint(n, 16))
	if p.Verb == 'X' {
		s = strings.ToUpper(s)
	}
	return s
}

// octal shows a number whose first digit is 0 where sharp wants it.
func octal(p plylang.Conversion, n uint64, sharp bool) string {
	digits := strconv.FormatUint(n, 8)
	switch {
	case sharp && n == 0 && p.Prec == 0:
		p.Prec = 1
	case sharp && n != 0 && p.Prec <= len(digits):
		digits = "0" + digits
	}
	return digitsText(p, "", digits)
}

// digitsText brings digits to the precision, and with what stands before them to
// the width. Package fmt does it otherwise: it counts no prefix and takes signs
// for numbers that have none.
func digitsText(p plylang.Conversion, prefix, digits string) string {
	if p.Prec == 0 && digits == "0" {
		digits = ""
	}
	want := p.Prec
	if p.Prec < 0 && strings.Contains(p.Flags, "0") && !strings.Contains(p.Flags, "-") {
		want = p.Width - len(prefix)
	}
	digits = strings.Repeat("0", max(want-len(digits), 0)) + digits
	return fmt.Sprintf(widthOnly(p, 's'), prefix+digits)
}

// cut shows text, at most precision bytes of it, with control characters
// escaped.
func cut(p plylang.Conversion, s string) string {
	if p.Prec >= 0 && len(s) > p.Prec {
		s = s[:p.Prec]
	}
	return fmt.Sprintf(widthOnly(p, 's'), ForPrintf.Escape(s))
}

func float(p plylang.Conversion, v object.Value) string {
	f := float64(uint64(v.Int()))
	if v.Type.Signed {
		f = float64(v.Int())
	}
	switch p.Verb {
	case 'a', 'A':
		return hexFloat(p, f)
	case 'g', 'G':
		if p.Prec < 0 {
			p.Prec = 6
		}
		p.Prec = max(p.Prec, 1)
	}
	return fmt.Sprintf(goFormat(p, p.Verb), f)
}

// hexFloat is C's %a, whose exponent has no leading zero.
func hexFloat(p plylang.Conversion, f float64) string {
	sign := plus(p)
	if f < 0 {
		sign = "-"
	}
	digits := strings.TrimPrefix(strconv.FormatFloat(math.Abs(f), 'x', p.Prec, 64), "0x")
	mantissa, exponent, _ := strings.Cut(digits, "p+")
	if strings.Contains(p.Flags, "#") && !strings.Contains(mantissa, ".") {
		mantissa += "."
	}
	if len(exponent) > 1 {
		exponent = strings.TrimPrefix(exponent, "0")
	}
	p.Prec = -1
	s := digitsText(p, sign+"0x", mantissa+"p+"+exponent)
	if p.Verb == 'A' {
		s = strings.ToUpper(s)
	}
	return s
}

// goFormat is the conversion as package fmt spells it.
func goFormat(p plylang.Conversion, verb byte) string {
	s := "%" + p.Flags
	if p.Width >= 0 {
		s += strconv.Itoa(p.Width)
	}
	if p.Prec >= 0 {
		s += "." + strconv.Itoa(p.Prec)
	}
	return s + string(verb)
}

// widthOnly is goFormat without precision and with no flag but "-".
func widthOnly(p plylang.Conversion, verb byte) string {
	p.Prec = -1
	if strings.Contains(p.Flags, "-") {
		p.Flags = "-"
	} else {
		p.Flags = ""
	}
	return goFormat(p, verb)
}
