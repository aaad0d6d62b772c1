package exporter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
	"ply-exporter/tracer/decode"
)

// A label is one label of a metric: component part of the key as text, which
// the user's rules may replace.
type label struct {
	name  string
	part  int
	rules config.Label
	of    *groupLabel // nil: the text of the part itself
}

// value is the label's value for a text, and whether the user wants it: first the
// expression is applied to the text, then the table to what it leaves.
func (l *label) value(text string) (value string, wanted bool) {
	if re := l.rules.Regexp; re != nil {
		m := re.FindStringSubmatch(text)
		if m == nil && l.rules.Keep {
			return "", false
		}
		if len(m) > 1 {
			text = m[1]
		}
	}
	text = decode.ForLabel.Escape(text)
	if name, ok := l.rules.Map[text]; ok {
		return name, true
	}
	return text, true
}

// text says what the label's expression does; "" for a label without one.
func (l *label) text() string {
	switch re := l.rules.Regexp; {
	case re == nil:
		return ""
	case l.rules.Keep:
		return fmt.Sprintf("only keys whose %s matches %q", l.name, l.rules.Written)
	default:
		return fmt.Sprintf("%s is renamed by %q", l.name, l.rules.Written)
	}
}

// filterNote says in the help of a metric which keys it has.
func (m *metric) filterNote() string {
	text := ""
	for _, l := range m.labels {
		if l.rules.Keep {
			text += "; " + l.text()
		}
	}
	return text
}

// filters says whether keys that have some values are not exported.
func (m *metric) filters() bool {
	return slices.ContainsFunc(m.labels, func(l label) bool { return l.rules.Keep })
}

// merges says that keys may have equal labels: the configuration gives them such, or
// what they are has the same name, as a cgroup that was made again.
func (m *metric) merges() bool {
	return slices.ContainsFunc(m.labels, func(l label) bool {
		return l.rules.Regexp != nil || len(l.rules.Map) > 0 || decode.SharesText(m.decl.Keys[l.part])
	})
}

// inferLabels names a label for each component of the map's key, after the
// expressions it is used with. A component that is the same constant at every
// use gives none: @["size"] is how ply 2 said "no key".
func inferLabels(m *plylang.Map) []label {
	return labelsOf(m, func(constant bool) bool { return !constant })
}

// labelsOf names a label for each component that is wanted.
func labelsOf(m *plylang.Map, wanted func(constant bool) bool) []label {
	var out []label
	taken := map[string]bool{}
	for part := range m.Keys {
		name, constant := keyLabel(m, part)
		if !wanted(constant) {
			continue
		}
		out = append(out, label{name: unique(name, taken), part: part})
	}
	return out
}

// unique returns name, with _2, _3 … when it is taken.
func unique(name string, taken map[string]bool) string {
	if config.ReservedLabel(name) {
		name += "_"
	}
	free := name
	for i := 2; taken[free]; i++ {
		free = fmt.Sprintf("%s_%d", name, i)
	}
	taken[free] = true
	return free
}

// keyLabel looks at one component in all uses of the map.
func keyLabel(m *plylang.Map, part int) (name string, constant bool) {
	constant = true
	value := ""
	for _, use := range m.Uses {
		if len(use.Keys) != len(m.Keys) {
			continue
		}
		key := use.Keys[part]
		text, isConst := constantText(key)
		constant = constant && isConst && (value == "" || value == text)
		value = text
		switch n := keyName(key); {
		case name == "":
			name = n
		case name != n:
			name = "key"
		}
	}
	if name == "" {
		name = "key"
	}
	return name, constant && value != ""
}

func constantText(x plylang.Expr) (string, bool) {
	switch x := x.(type) {
	case *plylang.Number:
		return fmt.Sprint(x.Value), true
	case *plylang.StringLit:
		return fmt.Sprintf("%q", x.Value), true
	}
	return "", false
}

// transparent functions give their operand's name.
var transparent = []string{"str", "mem", "dyn", "uptr", "kptr", "ntohs", "ntohl", "hex"}

// keyName returns the label that an expression suggests, "key" when none.
func keyName(x plylang.Expr) string {
	switch x := x.(type) {
	case *plylang.Name:
		return nameOfName(x)
	case *plylang.MapRef:
		return cmp.Or(snake(strings.TrimLeft(x.Name, "$@")), "key")
	case *plylang.Member:
		return snake(x.Name)
	case *plylang.Cast:
		return keyName(x.X)
	case *plylang.Call:
		if slices.Contains(transparent, x.Name) && len(x.Args) > 0 {
			return keyName(x.Args[0])
		}
		if t := x.Type(); t != nil && t.Display != nil {
			return cmp.Or(t.Display.Noun, snake(x.Name))
		}
	}
	return "key"
}

func nameOfName(x *plylang.Name) string {
	if x.Func == nil {
		return snake(x.Name)
	}
	if x.Func.Name == "caller" {
		return "func"
	}
	return snake(x.Func.Name)
}

// scrapeLabels are set by scraping itself: a metric's own label of that name
// turns into exported_…
var scrapeLabels = []string{"job", "instance", "pod", "namespace", "container"}

// resolveLabels returns the labels of a map: as inferred, or as the user names
// them.
func resolveLabels(decl *plylang.Map, m *config.Metric) ([]label, *plylang.Error) {
	if m == nil || m.Labels == nil {
		return inferLabels(decl), nil
	}
	labels := labelsFor(decl, m)
	if len(m.Labels) != len(labels) {
		return nil, wrongCount(decl, m, labels)
	}
	var out []label
	for i, given := range m.Labels {
		several, err := labels[i].given(decl, m, given)
		if err != nil {
			return nil, err
		}
		out = append(out, several...)
	}
	if dup := duplicateLabel(out); dup != "" {
		return nil, m.At("labels").Errorf("label %q would be there twice: name both", dup)
	}
	return out, nil
}

func wrongCount(decl *plylang.Map, m *config.Metric, labels []label) *plylang.Error {
	return m.At("labels").Errorf("%s for %s of %s", plural(len(m.Labels), "label"), plural(len(labels), "key"), decl.Name)
}

// labelsFor returns what is inferred of the parts that the configuration gives labels.
func labelsFor(decl *plylang.Map, m *config.Metric) []label {
	if len(m.Labels) == len(decl.Keys) { // constant ones are wanted, too
		return labelsOf(decl, func(bool) bool { return true })
	}
	return inferLabels(decl)
}

// given returns the labels that the configuration makes of one.
func (l label) given(decl *plylang.Map, m *config.Metric, given config.Label) ([]label, *plylang.Error) {
	t := decl.Keys[l.part]
	if given.As != nil {
		return l.as(decl, given)
	}
	names, err := valueNames(t, m, given)
	if err != nil {
		return nil, err
	}
	given.Map = names
	return l.written(given), nil
}

func duplicateLabel(labels []label) string {
	seen := map[string]bool{}
	for _, l := range labels {
		if seen[l.name] {
			return l.name
		}
		seen[l.name] = true
	}
	return ""
}

func plural(n int, noun string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
