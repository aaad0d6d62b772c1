package plylang

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
)

// What a value is compared with text for, and what to write instead: the kernel
// has numbers where people have names.

// textCure says how to make a comparison of which one side is text.
func textCure(x *Binary) string {
	value, text := x.X, x.Y
	if isText(value.Type()) {
		value, text = text, value
	}
	t := value.Type()
	n, isNumber := value.(*Number)
	s, isLiteral := text.(*StringLit)
	switch {
	case !isText(text.Type()):
		return ""
	case isLiteral && isIPv4(s.Value):
		return fmt.Sprintf(": write %s %v %s", addressRead(value), x.Op, hexAddress(s.Value))
	case isLiteral && t.Integer() && meantNumber(t, s.Value) != "":
		return ": write " + meantNumber(t, s.Value)
	case nameHint(t) != "":
		return ": " + nameHint(t)
	case isNumber && n.Text != "":
		return ": write " + quote(short(n.Text))
	case mayPointToText(value):
		return ": write str(" + brief(value) + ")"
	case isLiteral && t.Integer() && t.Unit == Plain:
		return ": it has a number here, which is written without quotes"
	}
	return ""
}

// meantNumber is the number, or the constant, that a text means as a value of t;
// "" where it is not known.
func meantNumber(t *Type, text string) string {
	if t.Display != nil {
		if e, ok := t.Display.Arg.(*Enumeration); ok {
			if _, ok := e.Value(text); ok && isIdentifier(text) {
				return text
			}
		}
	}
	if _, err := strconv.ParseInt(text, 0, 64); err == nil {
		return text
	}
	n, ok := cMacros[text]
	switch {
	case !ok:
		return ""
	case text[0] == 'E':
		return fmt.Sprintf("-%d", n)
	}
	return strconv.FormatUint(n, 10)
}

// mayPointToText says whether a value may be the address of text: no array is, since
// one of characters is text itself, and nothing that the kernel declares signed.
func mayPointToText(x Expr) bool {
	t := x.Type()
	if addr, ok := x.(*Unary); ok && addr.Op == AND {
		return false
	}
	if t.Kind == Pointer {
		return t.Elem == nil || t.Elem.Size <= 1
	}
	return t.Integer() && t.User && !t.Signed
}

func isIPv4(text string) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && a.Is4()
}

// hexAddress is an address of IPv4 as a number.
func hexAddress(text string) string {
	b := netip.MustParseAddr(text).As4()
	return fmt.Sprintf("%#08x", binary.BigEndian.Uint32(b[:]))
}

// addressRead is how the number of an address is had that is shown as text.
func addressRead(x Expr) string {
	for {
		call, ok := x.(*Call)
		if !ok || len(call.Args) == 0 || call.Name != "ntop" && call.Name != "mem" {
			break
		}
		x = call.Args[0]
	}
	if addr, ok := x.(*Unary); ok && addr.Op == AND {
		x = addr.X
	}
	if t := x.Type(); t != nil && t.Net == 4 {
		return brief(x)
	}
	if _, ok := x.(*Binary); ok {
		return "*(__be32 *)(" + brief(x) + ")"
	}
	return "*(__be32 *)" + brief(x)
}
