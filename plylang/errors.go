package plylang

import (
	"fmt"
	"sort"
	"strings"
)

// An Error is one diagnostic about a script: where, what, and what to do. Every
// package reports its diagnostics as Errors, from the YAML reader to the code
// that shows what the kernel's verifier says.
type Error struct {
	Src *Source
	Pos Pos
	Msg string // lower case, no full stop, with a hint

	// Missing says that the script is right and this kernel does not have
	// something (a function, a tracepoint, a feature); see ErrMissing.
	Missing bool

	// Later says that what is missing may come at any time; see ErrLater.
	Later bool

	member missingMember // what functions do not have, when others may not have it either
}

// Error returns the diagnostic in one line: file:line:column: message.
func (e *Error) Error() string {
	if e.Src == nil {
		return e.Msg
	}
	line, col := e.Src.Position(e.Pos)
	return fmt.Sprintf("%s:%d:%d: %s", e.Src.Name(), line, col, e.Msg)
}

// Is answers errors.Is(err, ErrMissing), and ErrLater.
func (e *Error) Is(target error) bool {
	return target == ErrMissing && e.Missing || target == ErrLater && e.Later
}

// Detail returns Error with the source line and a caret below it.
func (e *Error) Detail() string {
	if e.Src == nil {
		return e.Msg
	}
	text, offset := e.Src.LineText(e.Pos)
	text, offset = excerpt(text, offset)
	var caret strings.Builder
	for _, r := range text[:offset] {
		if r == '\t' {
			caret.WriteByte('\t')
		} else {
			caret.WriteByte(' ')
		}
	}
	return fmt.Sprintf("%s\n    %s\n    %s^", e.Error(), text, caret.String())
}

// An ErrorList is what one run over a script found.
type ErrorList []*Error

// Add appends a diagnostic.
func (l *ErrorList) Add(src *Source, pos Pos, format string, args ...any) {
	*l = append(*l, newError(src, pos, format, args...))
}

func newError(src *Source, pos Pos, format string, args ...any) *Error {
	return &Error{Src: src, Pos: pos, Msg: clip(fmt.Sprintf(format, args...))}
}

// Sort orders the list by position and drops diagnostics that say the same at
// the same position.
func (l *ErrorList) Sort() {
	list := *l
	sort.SliceStable(list, func(i, j int) bool { return list[i].before(list[j]) })
	var out ErrorList
	seen := map[string]bool{}
	for _, e := range list {
		key := fmt.Sprint(int(e.Pos), " ", e.Msg)
		if !seen[key] {
			seen[key] = true
			out = append(out, e)
		}
	}
	*l = out
}

// before says whether e is nearer to the beginning of its file than other. A script
// that is part of a file has positions of its own.
func (e *Error) before(other *Error) bool {
	if e.Src == other.Src || e.Src == nil || other.Src == nil || e.Src.Name() != other.Src.Name() {
		return e.Pos < other.Pos
	}
	line, col := e.Src.Position(e.Pos)
	otherLine, otherCol := other.Src.Position(other.Pos)
	return line < otherLine || line == otherLine && col < otherCol
}

// Err returns the list as an error, and nil when it is empty.
func (l ErrorList) Err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

// maxShown is how many diagnostics are shown at once: nobody reads more before
// correcting these. Check stops at 100, and says so in one more.
const maxShown = 101

// Error returns the diagnostics, a line each; of many, the first and the number
// of the rest.
func (l ErrorList) Error() string { return l.text((*Error).Error) }

// Detail returns what Error does, with source lines and carets.
func (l ErrorList) Detail() string { return l.text((*Error).Detail) }

func (l ErrorList) text(show func(*Error) string) string {
	var parts []string
	for _, e := range l[:min(len(l), maxShown)] {
		parts = append(parts, show(e))
	}
	if rest := len(l) - maxShown; rest > 0 {
		parts = append(parts, fmt.Sprintf("and %d more errors", rest))
	}
	return strings.Join(parts, "\n")
}

// Is answers errors.Is(err, ErrMissing), and ErrLater: whether nothing is wrong but that
// this kernel does not have what the script needs.
func (l ErrorList) Is(target error) bool {
	for _, e := range l {
		if !e.Is(target) {
			return false
		}
	}
	return len(l) > 0
}

// Detail returns err with source lines and carets where it has them.
func Detail(err error) string {
	if d, ok := err.(interface{ Detail() string }); ok {
		return d.Detail()
	}
	return err.Error()
}
