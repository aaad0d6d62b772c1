package plylang

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// escapes are the escapes of one letter. \xHH is the other one.
var escapes = map[byte]byte{'\\': '\\', '"': '"', 'n': '\n', 'r': '\r', 't': '\t'}

// str reads a string literal. Each fault in it is reported at its own position.
func (l *lexer) str() token {
	pos := l.off
	l.off++
	var b strings.Builder
	for l.off < len(l.text) {
		switch c := l.text[l.off]; c {
		case '"':
			l.off++
			return token{kind: STRING, pos: pos, end: l.off, text: b.String()}
		case '\n':
			return l.unclosed(pos)
		case '\\':
			l.escape(&b)
		case 0:
			l.nul(l.off)
			l.off++
		default:
			b.WriteByte(c)
			l.off++
		}
	}
	return l.unclosed(pos)
}

func (l *lexer) unclosed(pos int) token {
	l.errorf(pos, `string is not closed on its line: '"' is missing; a line break is written \n`)
	return l.token(bad, pos)
}

func (l *lexer) nul(pos int) {
	l.errorf(pos, "a string cannot hold a NUL byte: leave it out, strings end by themselves")
}

// escape reads what follows a backslash.
func (l *lexer) escape(b *strings.Builder) {
	pos := l.off
	l.off++
	if l.off == len(l.text) || l.text[l.off] == '\n' {
		return // the string is not closed, which str reports
	}
	r, size := utf8.DecodeRuneInString(l.text[l.off:])
	c := l.text[l.off]
	l.off += size
	if to, ok := escapes[c]; ok {
		b.WriteByte(to)
		return
	}
	switch c {
	case 'x':
		l.hexEscape(pos, b)
	case '0', 0:
		l.nul(pos)
	default:
		l.errorf(pos, `no escape \%s; there are \\ \" \n \r \t and \xHH`, printable(r))
	}
}

func printable(r rune) string {
	if unicode.IsPrint(r) {
		return string(r)
	}
	return "?"
}

func (l *lexer) hexEscape(pos int, b *strings.Builder) {
	rest := l.text[l.off:]
	if len(rest) < 2 || digit(rest[0]) > 15 || digit(rest[1]) > 15 {
		l.errorf(pos, `\x needs two hexadecimal digits, as in \x1b`)
		return
	}
	l.off += 2
	c := byte(digit(rest[0])<<4 | digit(rest[1]))
	if c == 0 {
		l.nul(pos)
		return
	}
	b.WriteByte(c)
}

// quote writes a string literal with the escapes that str reads.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd") {
			b.WriteString(hexByte(s[i]))
			continue
		}
		quoteRune(&b, r)
	}
	b.WriteByte('"')
	return b.String()
}

func quoteRune(b *strings.Builder, r rune) {
	for letter, c := range escapes {
		if r == rune(c) {
			b.WriteByte('\\')
			b.WriteByte(letter)
			return
		}
	}
	switch {
	case unicode.IsPrint(r):
		b.WriteRune(r)
	default:
		for _, c := range []byte(string(r)) {
			b.WriteString(hexByte(c))
		}
	}
}

func hexByte(c byte) string {
	const digits = "0123456789abcdef"
	return `\x` + string([]byte{digits[c>>4], digits[c&15]})
}
