package config

import (
	"regexp"
	"strings"
)

// A Label names a key of a map and may give its values other names: first Regexp
// does, then Map.
type Label struct {
	Name string
	Map  map[string]string

	// Regexp matches whole values, and its group, if it has one, is the new value.
	// What it does not match stays as it is, or, with Keep, is not exported. Written
	// is the expression as the user has written it.
	Regexp  *regexp.Regexp
	Written string
	Keep    bool
}

func readLabels(v value) []Label {
	out := []Label{}
	seen := map[string]bool{}
	for _, e := range v.list("labels") {
		var l Label
		if e.isScalar() {
			l.Name = e.labelName()
		} else {
			readMapping(e, "a label", &l, labelFields)
			if l.Keep && l.Written == "" {
				e.fail(`a label with "keep: true" needs "regexp:", which says what to keep`)
			}
		}
		if seen[l.Name] && l.Name != "" {
			e.fail("label %q is given twice", l.Name)
		}
		seen[l.Name] = true
		out = append(out, l)
	}
	return out
}

var labelFields = []field[Label]{
	{"name", func(l *Label, v value) { l.Name = v.labelName() }},
	{"map", func(l *Label, v value) { l.Map = readNames(v) }},
	{"regexp", func(l *Label, v value) { l.Regexp, l.Written = readRegexp(v), v.node.Value }},
	{"keep", func(l *Label, v value) { l.Keep = v.flag("keep") }},
}

func readNames(v value) map[string]string {
	names := map[string]string{}
	for _, pair := range v.pairs("map") {
		names[pair[0].node.Value] = pair[1].word("a label's value")
	}
	return names
}

func (v value) labelName() string {
	name := v.text("a label")
	switch {
	case name == "":
	case !metricName.MatchString(name):
		v.fail("label %q: only letters, digits and _ may be in it, and no digit first", name)
	case ReservedLabel(name):
		v.fail("label %q is reserved by Prometheus: choose another name", name)
	}
	return name
}

// ReservedLabel says whether Prometheus gives a label of that name a meaning.
func ReservedLabel(name string) bool {
	return name == "le" || name == "quantile" || strings.HasPrefix(name, "__")
}
