package config

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"
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

	// Drop leaves the part out of the key; nothing but Name may be given then.
	Drop bool

	// As are the labels of a key that gives several: what each one says of it is in
	// Of. The other rules are then theirs. TTL, nil for the default, is how long series
	// stay after what they are of has ended, and keys younger than MinAge are not told
	// apart.
	As     []Label
	Of     string
	TTL    *time.Duration
	MinAge time.Duration

	at Position
}

// At is where the label was given.
func (l Label) At() Position { return l.at }

// Rules are what the label says, wherever that was given.
func (l Label) Rules() Label {
	l.at, l.As = Position{}, nil
	return l
}

// Kinds are what "of:" may say of a control group.
var Kinds = []string{"cgroup", "namespace", "pod", "pod_uid", "container", "container_id", "workload"}

func readLabels(v value) []Label {
	out := []Label{}
	seen := map[string]bool{}
	once := func(l Label) {
		if seen[l.Name] && l.Name != "" && !l.Drop {
			v.doc.errs = append(v.doc.errs, l.at.Errorf("label %q is given twice", l.Name))
		}
		seen[l.Name] = seen[l.Name] || !l.Drop
	}
	for _, e := range v.list("labels") {
		l := readLabel(e, "a label", labelFields)
		for _, as := range l.As {
			once(as)
		}
		once(l)
		out = append(out, l)
	}
	return out
}

func readLabel(e value, what string, fields []field[Label]) Label {
	l := Label{at: e.position()}
	if e.isScalar() {
		l.Name = e.labelName()
		return l
	}
	readMapping(e, what, &l, fields)
	if l.Keep && l.Written == "" {
		e.fail(`a label with "keep: true" needs "regexp:", which says what to keep`)
	}
	if l.As == nil && (l.TTL != nil || l.MinAge != 0) {
		e.fail(`"ttl:" and "min_age:" are for labels of containers: they need "as:"`)
	}
	if l.Drop && (l.Map != nil || l.Written != "" || l.Keep || l.As != nil) {
		e.fail(`a label with "drop: true" has no values: only its name can be said besides`)
		return l
	}
	if l.As != nil && (l.Name != "" || l.Map != nil || l.Written != "" || l.Keep) {
		e.fail(`a label with "as:" has no name, map, regexp and keep of its own: give them to those in "as:"`)
	}
	return l
}

// readAs reads the labels of a control group. One whose name says what it is of needs
// no "of:".
func readAs(v value) []Label {
	out := []Label{}
	for _, e := range v.list("as") {
		before := len(v.doc.errs)
		l := readLabel(e, `a label in "as:"`, partFields)
		l.Of = cmp.Or(l.Of, l.Name)
		switch {
		case len(v.doc.errs) > before:
		case l.Of == "":
			e.fail(`a label in "as:" needs "of:", which says what it is of: %s`, strings.Join(Kinds, ", "))
		case !slices.Contains(Kinds, l.Of):
			e.fail("%q says nothing of a cgroup%s", l.Of, orOneOf(l.Of, Kinds))
		}
		l.Name = cmp.Or(l.Name, l.Of)
		out = append(out, l)
	}
	if v.isList() && len(out) == 0 {
		v.fail("as: the list is empty: write what the labels are of, such as [namespace, pod, container]")
	}
	return out
}

// Labels have other fields than those in "as:".
var (
	labelFields = append(slices.Clone(ruleFields), []field[Label]{
		{"drop", func(l *Label, v value) { l.Drop = v.flag("drop") }},
		{"as", func(l *Label, v value) { l.As = readAs(v) }},
		{"ttl", func(l *Label, v value) { d := v.duration("ttl", 0, maxAge); l.TTL = &d }},
		{"min_age", func(l *Label, v value) { l.MinAge = v.duration("min_age", 0, maxAge) }},
	}...)
	partFields = append(slices.Clone(ruleFields), field[Label]{
		"of", func(l *Label, v value) { l.Of = v.choice("of", Kinds...) },
	})
	ruleFields = []field[Label]{
		{"name", func(l *Label, v value) { l.Name = v.labelName() }},
		{"map", func(l *Label, v value) { l.Map = readNames(v) }},
		{"regexp", func(l *Label, v value) { l.Regexp, l.Written = readRegexp(v), v.node.Value }},
		{"keep", func(l *Label, v value) { l.Keep = v.flag("keep") }},
	}
)

// maxAge is longer than containers are waited for.
const maxAge = 365 * 24 * time.Hour

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
