package config

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"

	"ply-exporter/plylang"
)

// readRegexp reads a regular expression of whole values with at most one group; nil
// after an error.
func readRegexp(v value) *regexp.Regexp {
	text := v.text("regexp")
	if text == "" {
		return nil
	}
	if strings.HasSuffix(text, "\n") {
		v.fail("regexp ends with a line break, and no value does: write it in quotes, on one line")
		return nil
	}
	parsed, err := syntax.Parse(text, syntax.Perl|syntax.DotNL) // text may be wrong, and right in a group
	if err != nil {
		v.failRegexp(text, err)
		return nil
	}
	whole := `^(?s:` + text + `)$`
	if strings.Contains(text, `\Q`) { // whose end is not needed
		whole = `^(?:` + parsed.String() + `)$` // for classes such as [^;] this takes milliseconds
	}
	re, err := regexp.Compile(whole)
	switch {
	case err != nil:
		v.failRegexp(text, err)
		return nil
	case re.NumSubexp() > 1:
		v.fail("regexp: %d groups, and one is the label's value: write (?:...) for the others", re.NumSubexp())
		return nil
	}
	return re
}

// regexpHints say what to do about what the regexp package finds.
var regexpHints = map[syntax.ErrorCode]string{
	syntax.ErrMissingParen:          `write \( for the character`,
	syntax.ErrUnexpectedParen:       `write \) for the character`,
	syntax.ErrMissingBracket:        `write \[ for the character`,
	syntax.ErrInvalidCharRange:      `write \- for the character`,
	syntax.ErrMissingRepeatArgument: `write .* for any text`,
	syntax.ErrInvalidRepeatOp:       `write .* for any text, and \* for the character`,
	syntax.ErrTrailingBackslash:     `write \\ for the character`,
	syntax.ErrInvalidRepeatSize:     `at most 1000 times`,
	syntax.ErrLarge:                 `make it shorter`,
	syntax.ErrNestingDepth:          `make it shorter`,
}

// failRegexp reports what is wrong with an expression where it is.
func (v value) failRegexp(text string, err error) {
	var wrong *syntax.Error
	if !errors.As(err, &wrong) {
		v.fail("regexp: %s", err)
		return
	}
	hint, ok := regexpHints[wrong.Code]
	if !ok {
		hint = "expressions are RE2's, as in Prometheus"
	}
	v.doc.errs.Add(v.doc.src, v.pos()+v.offsetOf(text, wrong.Expr), "regexp: %s: %q: %s", wrong.Code, wrong.Expr, hint)
}

// offsetOf is where a part of the text is in the value as it is written; 0 where it
// is written otherwise, as with escapes.
func (v value) offsetOf(text, part string) plylang.Pos {
	offset := max(0, strings.LastIndex(text, part))
	written := v.doc.src.Text[min(int(v.pos()), len(v.doc.src.Text)):]
	switch {
	case strings.HasPrefix(written, text):
		return plylang.Pos(offset)
	case len(written) > 0 && strings.HasPrefix(written[1:], text): // in quotes
		return plylang.Pos(offset + 1)
	}
	return 0
}
