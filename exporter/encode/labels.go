package encode

import (
	"bytes"
	"iter"
)

// The text of labels
//
// A series' labels are kept as both text formats have them between braces:
//
//	comm="sshd",path="C:\\x"
//
// Backslash, quote and newline are escaped. What other formats need is read from
// that text.

// AppendLabel appends a label to the text of others, which begins at b[start].
func AppendLabel(b []byte, start int, name, value string) []byte {
	if len(b) > start {
		b = append(b, ',')
	}
	b = append(append(b, name...), `="`...)
	for i := range len(value) {
		switch c := value[i]; c {
		case '\n':
			b = append(b, `\n`...)
		case '\\', '"':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// Labels yields the names and values of labels.
func Labels(text []byte) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for len(text) > 0 {
			var l label
			l, text = cutLabel(text)
			if !yield(string(l.name), string(l.appendValue(nil))) {
				return
			}
		}
	}
}

// A label is a piece of the text: its name, and its value as it is written.
type label struct {
	name, escaped []byte
	escapes       int // pairs of characters that stand for one
}

// cutLabel returns the first label of a text and what follows it.
func cutLabel(text []byte) (l label, rest []byte) {
	equals := bytes.IndexByte(text, '=')
	l.name, text = text[:equals], text[equals+len(`="`):]
	end := bytes.IndexByte(text, '"')
	if bytes.IndexByte(text[:end], '\\') >= 0 {
		end, l.escapes = endOfEscaped(text)
	}
	l.escaped, rest = text[:end], text[end+1:]
	if len(rest) > 0 {
		rest = rest[1:] // the comma
	}
	return l, rest
}

// endOfEscaped returns where the quote is that ends a value, and how many escapes
// are before it.
func endOfEscaped(text []byte) (end, escapes int) {
	for i := 0; ; i++ {
		switch text[i] {
		case '"':
			return i, escapes
		case '\\':
			escapes++
			i++
		}
	}
}

// size is how many bytes the value has.
func (l *label) size() int { return len(l.escaped) - l.escapes }

// appendValue appends the value.
func (l *label) appendValue(b []byte) []byte {
	if l.escapes == 0 {
		return append(b, l.escaped...)
	}
	for i := 0; i < len(l.escaped); i++ {
		c := l.escaped[i]
		if c == '\\' {
			i++
			if c = l.escaped[i]; c == 'n' {
				c = '\n'
			}
		}
		b = append(b, c)
	}
	return b
}
