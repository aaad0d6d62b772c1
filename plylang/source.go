package plylang

import "strings"

// A Pos is a byte offset into Source.Text. It is turned into a line and a
// column only when an error is shown.
type Pos int

// A Source is the text of one script and where that text sits, so that an
// error in a script inside a YAML file is reported at its line there.
type Source struct {
	File   string // name shown in messages; "" shows as "script"
	Text   string
	Line   int // line of File at which Text begins, from 1; 0 means 1
	Indent int // columns that were cut off the beginning of each line
}

// Position returns the line, from 1, and the column in bytes, from 1, of p in
// the file the script sits in.
func (s *Source) Position(p Pos) (line, col int) {
	n := min(max(int(p), 0), len(s.Text))
	before := s.Text[:n]
	line = strings.Count(before, "\n") + max(s.Line, 1)
	col = n - (strings.LastIndexByte(before, '\n') + 1) + s.Indent + 1
	return line, col
}

// LineText returns the line of the script that p is in, without its end, and
// the byte offset of p in it.
func (s *Source) LineText(p Pos) (text string, offset int) {
	n := min(max(int(p), 0), len(s.Text))
	start := strings.LastIndexByte(s.Text[:n], '\n') + 1
	end := len(s.Text)
	if i := strings.IndexByte(s.Text[n:], '\n'); i >= 0 {
		end = n + i
	}
	text = strings.TrimSuffix(s.Text[start:end], "\r")
	return text, min(n-start, len(text))
}

// Name returns the file's name as messages show it.
func (s *Source) Name() string {
	if s == nil || s.File == "" {
		return "script"
	}
	return s.File
}
