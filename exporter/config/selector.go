package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A Selector picks series, as in PromQL:
//
//	selector = metric [ "{" [ matcher { "," matcher } [ "," ] ] "}" ]
//	matcher  = label ( "=" | "!=" | "=~" | "!~" ) string
//	string   = in double quotes with Go's escapes, or in backquotes without any, or in single quotes
//
// A regular expression matches whole values. A label that a series does not have
// is empty.
type Selector struct {
	Text     string // as it was written
	Metric   string
	Matchers []Matcher
}

// A Matcher is a condition on one label.
type Matcher struct {
	Label, Op, Value string

	re *regexp.Regexp
}

// Matches says whether a label with that value is selected.
func (m *Matcher) Matches(value string) bool {
	switch m.Op {
	case "=":
		return value == m.Value
	case "!=":
		return value != m.Value
	case "=~":
		return m.re.MatchString(value)
	}
	return !m.re.MatchString(value)
}

var (
	labelPart   = regexp.MustCompile(`^\s*([a-zA-Z_][a-zA-Z0-9_]*)`)
	operator    = regexp.MustCompile(`^\s*(=~|!~|!=|=)`)
	quotedValue = regexp.MustCompile("^\\s*(\"(?:[^\"\\\\\n]|\\\\.)*\"|'(?:[^'\\\\\n]|\\\\.)*'|`[^`]*`)")
	punctuation = regexp.MustCompile(`^\s*([{},])`)
)

// A selectorReader reads a selector from its beginning; at is how far it is.
type selectorReader struct {
	text string
	at   int
}

// next takes what comes next if it is of that kind.
func (r *selectorReader) next(kind *regexp.Regexp) (string, bool) {
	m := kind.FindStringSubmatchIndex(r.text[r.at:])
	if m == nil {
		return "", false
	}
	found := r.text[r.at+m[2] : r.at+m[3]]
	r.at += m[3]
	return found, true
}

// expect takes a character, one of those in any.
func (r *selectorReader) expect(any string) (string, error) {
	before := r.at
	if c, ok := r.next(punctuation); ok && strings.Contains(any, c) {
		return c, nil
	}
	r.at = before
	return "", fmt.Errorf("expected %s here", strings.Join(strings.Split(any, ""), " or "))
}

// ParseSelector reads a selector.
func ParseSelector(text string) (*Selector, error) {
	s, _, err := parseSelector(text)
	return s, err
}

// parseSelector reads a selector. Its error is about offset at of the text.
func parseSelector(text string) (s *Selector, at int, err error) {
	r := &selectorReader{text: text}
	s = &Selector{Text: text}
	var ok bool
	if s.Metric, ok = r.next(labelPart); !ok {
		return nil, 0, fmt.Errorf("a series begins with the name of its metric")
	}
	if r.rest() != "" {
		s.Matchers, err = r.matchers()
	}
	if err == nil && r.rest() != "" {
		err = fmt.Errorf("nothing may follow the labels")
	}
	return s, r.at + len(r.text[r.at:]) - len(strings.TrimLeft(r.text[r.at:], " \t\n")), err
}

func (r *selectorReader) rest() string { return strings.TrimSpace(r.text[r.at:]) }

func (r *selectorReader) matchers() (out []Matcher, err error) {
	if _, err := r.expect("{"); err != nil {
		return nil, err
	}
	for {
		if _, err := r.expect("}"); err == nil {
			return out, nil
		}
		m, err := r.matcher()
		if err != nil {
			return nil, err
		}
		out = append(out, m)
		if end, err := r.expect(",}"); err != nil || end == "}" {
			return out, err
		}
	}
}

func (r *selectorReader) matcher() (m Matcher, err error) {
	var ok bool
	if m.Label, ok = r.next(labelPart); !ok {
		return m, fmt.Errorf("expected a label here")
	}
	if m.Op, ok = r.next(operator); !ok {
		return m, fmt.Errorf("expected =, !=, =~ or !~ after label %s", m.Label)
	}
	before := r.at
	quoted, ok := r.next(quotedValue)
	if !ok {
		return m, fmt.Errorf("expected the value of label %s in quotes", m.Label)
	}
	if m.Value, err = unquote(quoted); err == nil && strings.HasSuffix(m.Op, "~") {
		m.re, err = regexp.Compile("^(?s:" + m.Value + ")$")
	}
	if err != nil {
		r.at = before
	}
	if m.Label == "le" && m.re == nil {
		m.Value = sameBound(m.Value)
	}
	return m, err
}

// sameBound is the bound of a bucket as the text format has it: Prometheus stores
// le="4096.0", OpenMetrics has that, too.
func sameBound(le string) string {
	if v, err := strconv.ParseFloat(le, 64); err == nil {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return le
}

// unquote returns the text in quotes of any kind.
func unquote(quoted string) (string, error) {
	if quoted[0] == '\'' {
		inside := strings.ReplaceAll(quoted[1:len(quoted)-1], `\'`, `'`)
		quoted = `"` + strings.ReplaceAll(inside, `"`, `\"`) + `"`
	}
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return "", fmt.Errorf("%s has an escape that is none: write \\\\ for a backslash", quoted)
	}
	return text, nil
}
