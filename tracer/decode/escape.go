package decode

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escaping
//
// Text of a traced system may hold any bytes: anybody can give a process or a
// file a name that a terminal takes for an order, or that is no UTF-8. Such bytes
// are written as \xhh everywhere, and backslashes are doubled where otherwise two
// different texts would look alike. What differs from one place to another is
// which characters are too much for it.

// An Escaping is what text may hold at one place where it is shown.
type Escaping struct {
	bad     func(rune) bool // characters that are escaped, beside what is no UTF-8
	doubles doubling
}

// A doubling says when backslashes are doubled.
type doubling uint8

const (
	whenEscaped doubling = iota // in text that has something escaped, or \x itself
	always                      //
	never                       //
)

// The places where text is shown.
var (
	// ForTerminal is for keys and values on a terminal: nothing that it obeys.
	ForTerminal = &Escaping{bad: obeyed}

	// ForPrintf is for values within a format on a terminal, where lines and tabs are
	// wanted.
	ForPrintf = &Escaping{bad: obeyedButLayout}

	// ForMessage is for messages, in which names of files and functions may be that anybody
	// has chosen.
	ForMessage = &Escaping{bad: obeyedButLayout, doubles: never}

	// ForJSON is for strings of JSON, which escapes control characters itself.
	ForJSON = &Escaping{bad: nothing}

	// ForFormatted is for a formatted text in JSON, whose values were escaped before.
	ForFormatted = &Escaping{bad: nothing, doubles: never}

	// ForLabel is for labels of metrics, and for the log: people look at both on
	// terminals. A text there is always escaped in the same way, because a label is
	// compared with others. Lines, which the formats of metrics escape, stay: stacks
	// have them.
	ForLabel = &Escaping{bad: obeyedButLayout, doubles: always}
)

// obeyed says whether a terminal or an editor takes a character for an order: it
// controls the cursor, or turns the direction of the text around it.
func obeyed(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

func obeyedButLayout(r rune) bool { return r != '\n' && r != '\t' && obeyed(r) }

func nothing(rune) bool { return false }

// Escape returns s with all that is too much for the place as \xhh.
func (e *Escaping) Escape(s string) string {
	if e.fits(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '\\' && e.doubles != never:
			b.WriteString(`\\`)
		case e.bad(r) || r == utf8.RuneError && n == 1:
			for i := range n {
				fmt.Fprintf(&b, `\x%02x`, s[i])
			}
		default:
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// fits says whether s needs no escaping.
func (e *Escaping) fits(s string) bool {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, e.bad) {
		return false
	}
	switch e.doubles {
	case always:
		return strings.IndexByte(s, '\\') < 0
	case whenEscaped:
		return !strings.Contains(s, `\x`)
	}
	return true
}
