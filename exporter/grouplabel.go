package exporter

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
	"ply-exporter/tracer/decode"
)

// A groupLabel says what a label is of where the key part is a control group.
type groupLabel struct {
	of     string // of config.Kinds
	text   int    // which of decode.LabelNames
	single bool   // it tells single containers or pods apart
	minAge time.Duration
	ttl    time.Duration
}

// How long series stay by default after what they are of has ended: where labels tell
// single containers or pods apart, and where others may follow them.
const (
	singleTTL   = 15 * time.Second
	workloadTTL = 10 * time.Minute
)

// as returns the labels that a key part gives which is a control group.
func (l label) as(decl *plylang.Map, given config.Label) ([]label, *plylang.Error) {
	texts := decode.LabelNames(decl.Keys[l.part])
	if texts == nil {
		return nil, given.At().Errorf("as: key %d of %s is not a cgroup", l.part+1, decl.Name)
	}
	out := l.written(given)
	for i := range out {
		out[i].of.text = slices.Index(texts, out[i].of.of)
	}
	return out, nil
}

// written returns the labels as they are given, whatever the key is.
func (l label) written(given config.Label) []label {
	if given.As == nil {
		if l.rules = given.Rules(); given.Name != "" {
			l.name = given.Name
		}
		return []label{l}
	}
	ttl := workloadTTL
	if slices.ContainsFunc(given.As, func(as config.Label) bool { return isSingle(as.Of) }) {
		ttl = singleTTL
	}
	if given.TTL != nil {
		ttl = *given.TTL
	}
	var out []label
	for _, as := range given.As {
		out = append(out, label{name: as.Name, part: l.part, rules: as.Rules(), of: &groupLabel{of: as.Of, single: isSingle(as.Of), minAge: given.MinAge, ttl: ttl}})
	}
	return out
}

func isSingle(of string) bool { return of != "namespace" && of != "workload" }

// meaning is the same for labels that are of the same.
func (g *groupLabel) meaning() string {
	if g == nil {
		return ""
	}
	return fmt.Sprintf(" %s %s", g.of, g.minAge)
}

// A groupReader reads what labels of one key have of a control group: once for all of
// them that are of the same part.
type groupReader struct {
	names   labelNames
	part    int
	texts   []string
	young   bool
	settled bool // all were, so far
}

// labelNames is what of a Tracer makes labels.
type labelNames interface {
	Text(v object.Value) string
	Labels(v object.Value) (texts []string, settled bool)
	Life(v object.Value) (age time.Duration, gone bool)
}

func newGroupReader(names labelNames) groupReader {
	return groupReader{names: names, part: -1, settled: true}
}

// text is the text of a label.
func (r *groupReader) text(l *label, parts []object.Value) string {
	if l.of == nil {
		return r.names.Text(parts[l.part])
	}
	if r.part != l.part {
		r.part = l.part
		r.read(parts[l.part], l.of.minAge)
	}
	text := r.texts[l.of.text]
	if r.young && text != "" && (l.of.single || l.of.of == "workload" && !r.inPod()) {
		return otherLabel
	}
	return text
}

func (r *groupReader) read(group object.Value, minAge time.Duration) {
	var settled bool
	r.texts, settled = r.names.Labels(group)
	age, gone := r.names.Life(group)
	r.young = age < minAge
	r.settled = r.settled && settled && (!r.young || gone)
}

// inPod says that the group is in a pod, whose workload does not come and go with it.
func (r *groupReader) inPod() bool { return r.texts[podText] != "" }

// podText is which of decode.LabelNames is the pod.
var podText = slices.Index(decode.LabelNames(cgroupType), "pod")

var cgroupType = &plylang.Type{Display: plylang.DisplayCgroup}

// hasGroups says that labels are of control groups.
func (m *metric) hasGroups() bool {
	return slices.ContainsFunc(m.labels, func(l label) bool { return l.of != nil })
}

// groupNotes say what else there is to know of labels that are of a control group.
func (m *metric) groupNotes() (notes []string) {
	var clash []string
	for i, l := range m.labels {
		if l.of == nil {
			continue
		}
		if slices.Contains(scrapeLabels, l.name) {
			clash = append(clash, l.name)
		}
		if i > 0 && m.labels[i-1].part == l.part {
			continue
		}
		note := fmt.Sprintf("series end %s after their groups", shortTime(l.of.ttl))
		if l.of.minAge > 0 {
			note += fmt.Sprintf("; those younger than %s count as %s", shortTime(l.of.minAge), otherLabel)
		}
		notes = append(notes, note)
	}
	if len(clash) > 0 {
		notes = append(notes, fmt.Sprintf("%s: where a scrape sets them, too, honor_labels: true keeps these", strings.Join(clash, ", ")))
	}
	return notes
}

// shortTime writes 10m as that, and not as 10m0s.
func shortTime(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-len(zero)+1]
		}
	}
	return text
}
