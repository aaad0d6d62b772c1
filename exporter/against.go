package exporter

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// Against writes what a reload changes where the configuration old runs: scripts
// that start, that begin again at 0 and that end, and metrics that get another
// name, type, unit, labels or buckets. Its error is a plylang.ErrorList of the
// mistakes in either; a script that this kernel cannot run is as one that does not.
func Against(w io.Writer, old, cfg *config.Config, b Backend) error {
	before, fatal := compile(old, b)
	after, more := compile(cfg, b)
	if fatal = append(fatal, more...); len(fatal) > 0 {
		return fatal
	}
	same, names := 0, map[string]*running{}
	for _, s := range before {
		if s.compiled != nil {
			names[s.conf.Name] = &running{compiled: s.compiled}
		}
	}
	exported := exportedBy(names)
	for _, s := range after {
		lines := s.against(find(before, s.conf.Name), exported)
		if len(lines) == 0 {
			same++
		}
		for _, line := range lines {
			fmt.Fprintf(w, "    %s\n", line)
		}
	}
	for _, s := range before {
		if s.compiled != nil && find(after, s.conf.Name) == nil {
			fmt.Fprintf(w, "    script %s ends%s\n", s.conf.Name, s.without())
		}
	}
	fmt.Fprintf(w, "    %s\n", plural(same, "script")+" without a change")
	return nil
}

func find(scripts []*script, name string) *script {
	if i := slices.IndexFunc(scripts, func(s *script) bool { return s.conf.Name == name }); i >= 0 {
		return scripts[i]
	}
	return nil
}

// without are the metrics that are missing when a script has ended.
func (s *script) without() string {
	var names []string
	for _, m := range s.compiled.metrics.exported() {
		names = append(names, m.name)
	}
	if len(names) == 0 {
		return ""
	}
	return ", and with it " + strings.Join(names, ", ")
}

// against are lines on what becomes of the script where was is the one of its name, and
// exported what all scripts export.
func (s *script) against(was *script, exported map[string]*metric) (lines []string) {
	say := func(format string, args ...any) {
		lines = append(lines, "script "+s.conf.Name+" "+fmt.Sprintf(format, args...))
	}
	switch {
	case was == nil && s.compiled == nil:
		say("is new, and does not run here")
	case was == nil || was.compiled == nil && s.compiled != nil:
		say("starts")
	case was.compiled == nil:
		return nil
	case s.compiled == nil:
		say("would not run here, so that nothing is reloaded: %s", plylang.Detail(s.err))
	case was.compiled.object.Hash != s.compiled.object.Hash || s.compiled.takesNames(exported):
		say("begins again at 0")
	}
	if s.compiled == nil || was == nil || was.compiled == nil {
		return lines
	}
	changes := s.compiled.against(was.compiled)
	if len(changes) > 0 && len(lines) == 0 {
		say("goes on")
	}
	for _, change := range changes {
		lines = append(lines, "    "+change)
	}
	return lines
}

// against are what becomes of the series of each map, and of the part of the events that
// is looked at.
func (c *compiled) against(was *compiled) (changes []string) {
	if of, now := looksAt(was.conf.Sample), looksAt(c.conf.Sample); of != now {
		changes = append(changes, "it looked at "+of+", and looks at "+now)
	}
	before, after := was.signatures(), c.signatures()
	for _, decl := range slices.Sorted(maps.Keys(before)) {
		switch now, there := after[decl]; {
		case !there:
			changes = append(changes, before[decl]+" is not exported any more")
		case now != before[decl]:
			changes = append(changes, before[decl]+" becomes "+now)
		}
	}
	for _, decl := range slices.Sorted(maps.Keys(after)) {
		if _, there := before[decl]; !there {
			changes = append(changes, after[decl]+" is new")
		}
	}
	return changes
}

func looksAt(s *config.Sample) string { return cmp.Or(s.String(), "all events") }

// signatures are what is exported of each map, as text.
func (c *compiled) signatures() map[string]string {
	out := map[string]string{}
	for i, m := range c.metrics {
		if !m.exported {
			continue
		}
		text := m.signature()
		for _, l := range m.labels {
			if rule := l.text(); rule != "" {
				text += ", " + rule
			}
		}
		if m.typ == dto.MetricType_HISTOGRAM {
			text += ", le: " + m.bounds.text()
		}
		for _, key := range m.limits(c.object.Maps[i]) {
			text += ", " + key
		}
		out[m.decl.Name] = text
	}
	return out
}

// limits are which keys a map has, and how they become series, in the configuration's
// words.
func (m *metric) limits(mp *object.Map) (keys []string) {
	add := func(key string, value any) { keys = append(keys, fmt.Sprintf("%s: %v", key, value)) }
	if mp.KeySize > 0 && (m.script.MaxEntries > 0 || m.given != nil && m.given.MaxEntries > 0) {
		add("max_entries", mp.MaxEntries)
	}
	if m.given != nil && m.given.Overflow != "" {
		add("overflow", m.given.Overflow)
	}
	if mp.Expiry != nil {
		add("expire", model.Duration(mp.Expiry.After))
	}
	if m.top > 0 {
		add("top", m.top)
	}
	for i, l := range m.labels {
		if l.of != nil && (i == 0 || m.labels[i-1].part != l.part) {
			add("ttl", model.Duration(l.of.ttl))
			add("min_age", model.Duration(l.of.minAge))
		}
	}
	return keys
}
