package plylang

import (
	"fmt"
	"strconv"
	"strings"
)

// A Conversion is a piece of a printf format: literal text, or a conversion of
// one value.
type Conversion struct {
	Text   string // literal text, where Verb is 0; "%%" is "%" in it
	Verb   byte   // one of "diuxXocspfFeEgGaAv"
	Flags  string // of "-+ #0"
	Width  int    // -1 when there is none
	Prec   int    // -1 when there is none
	Offset int    // of the "%" in the format
}

// verbs are the conversions, each with what it takes.
var verbs = map[byte]class{
	'd': wholeNumber, 'i': wholeNumber, 'u': wholeNumber, 'x': wholeNumber, 'X': wholeNumber, 'o': wholeNumber,
	'c': wholeNumber, 'p': wholeNumber,
	'f': wholeNumber, 'e': wholeNumber, 'g': wholeNumber, 'a': wholeNumber,
	'F': wholeNumber, 'E': wholeNumber, 'G': wholeNumber, 'A': wholeNumber,
	's': {"a string", func(t *Type) bool { return t.Kind == String || t.Kind == Stack || t.Display != nil && t.Kind != Struct }},
	'v': printableClass,
}

var wholeNumber = class{"a number", (*Type).number}

// ParseFormat splits a printf format into its pieces:
//
//	conversion = "%" { "-" | "+" | " " | "#" | "0" } [ width ] [ "." [ precision ] ] { "h" | "l" | "L" | "q" | "j" | "z" | "t" } verb
//
// Length modifiers mean nothing, because a value knows its own width.
func ParseFormat(format string) ([]Conversion, error) {
	var out []Conversion
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			out = append(out, Conversion{Text: text.String(), Width: -1, Prec: -1})
		}
		text.Reset()
	}
	for i := 0; i < len(format); {
		end := strings.IndexByte(format[i:], '%')
		if end < 0 {
			end = len(format) - i
		}
		text.WriteString(format[i : i+end])
		if i += end; i == len(format) {
			break
		}
		if strings.HasPrefix(format[i:], "%%") {
			text.WriteByte('%')
			i += 2
			continue
		}
		conv, n, err := parseConversion(format[i:])
		if err != nil {
			return nil, err
		}
		flush()
		conv.Offset = i
		out, i = append(out, conv), i+n
	}
	flush()
	return out, nil
}

// maxWidth bounds what a format makes of one value.
const maxWidth = 4096

// parseConversion reads the conversion at the beginning of s, and its length.
func parseConversion(s string) (conv Conversion, n int, err error) {
	rest := s[1:]
	conv.Flags, rest = leading(rest, "-+ #0")
	width, rest := leading(rest, "*0123456789")
	prec, hasPrec := "", strings.HasPrefix(rest, ".")
	if hasPrec {
		prec, rest = leading(rest[1:], "*0123456789")
		prec = "0" + prec
	}
	_, rest = leading(rest, "hlLqjzt")
	n = len(s) - len(rest) + 1
	if rest == "" {
		return conv, 0, fmt.Errorf("the format ends within %q: write %%%% for a percent sign", short(s))
	}
	if strings.Contains(width+prec, "*") {
		return conv, 0, fmt.Errorf("%s: a width of * is not possible, write a number", short(s[:n]))
	}
	if _, ok := verbs[rest[0]]; !ok {
		return conv, 0, fmt.Errorf("no conversion %s: there are %%d %%i %%u %%x %%X %%o %%c %%s %%p %%f %%F %%e %%E %%g %%G %%a %%A %%v and %%%%", strconv.Quote(short(s[:n])))
	}
	conv.Verb = rest[0]
	conv.Width, conv.Prec = number10(width), number10(prec)
	if conv.Width > maxWidth || conv.Prec > maxWidth {
		return conv, 0, fmt.Errorf("%s: more than %d characters", short(s[:n]), maxWidth)
	}
	return conv, n, nil
}

// leading splits s after its first characters that are in set.
func leading(s, set string) (head, rest string) {
	rest = strings.TrimLeft(s, set)
	return s[:len(s)-len(rest)], rest
}

// number10 is -1 for no digits, and more than maxWidth for too many.
func number10(digits string) int {
	if digits == "" {
		return -1
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return maxWidth + 1
	}
	return n
}

// formatArgument checks an argument that is a format.
func (c *clause) formatArgument(call *Call, x Expr) bool {
	c.expr(x)
	lit, ok := x.(*StringLit)
	if !ok {
		c.errorf(x.Position(), "the format of %s() must be a string literal", call.Name)
		return false
	}
	if _, err := ParseFormat(lit.Value); err != nil {
		c.errorf(x.Position(), "%s", err)
		return false
	}
	return true
}

// checkFormat compares the conversions of the format, which is argument at,
// with the values that follow it.
func (c *clause) checkFormat(call *Call, at int) bool {
	pieces, _ := ParseFormat(call.Args[at].(*StringLit).Value)
	values := call.Args[at+1:]
	used := 0
	ok := true
	for _, conv := range pieces {
		if conv.Verb == 0 {
			continue
		}
		if used < len(values) {
			ok = c.checkConversion(conv, values[used]) && ok
		}
		used++
	}
	switch {
	case used > len(values):
		c.errorf(call.Args[at].Position(), "the format takes %s, and %s", valueCount(used), followCount(len(values)))
	case used < len(values):
		c.errorf(values[used].Position(), "the format takes %s, and %s: write %%v where this one goes", valueCount(used), followCount(len(values)))
	default:
		return ok
	}
	return false
}

func (c *clause) checkConversion(conv Conversion, x Expr) bool {
	t, want := x.Type(), verbs[conv.Verb]
	if t == nil || want.fits(t) {
		return t != nil
	}
	hint := "use %v"
	switch {
	case t.Kind == Struct:
		hint = "print some of its members"
	case t.Kind == String:
		hint = "use %s"
	case conv.Verb == 's' && (t.Kind == Pointer || t.User):
		hint = "write str(" + brief(x) + ")"
	case conv.Verb == 's' && t.number():
		hint = "use %d"
	}
	c.errorf(x.Position(), "%%%c needs %s, and this is %s: %s", conv.Verb, want.what, describe(t), hint)
	return false
}

func valueCount(n int) string {
	switch n {
	case 0:
		return "no value"
	case 1:
		return "1 value"
	}
	return fmt.Sprintf("%d values", n)
}

func followCount(n int) string {
	switch n {
	case 0:
		return "none follows"
	case 1:
		return "1 follows"
	}
	return fmt.Sprintf("%d follow", n)
}
