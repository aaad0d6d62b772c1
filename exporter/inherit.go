package exporter

import (
	"maps"
	"reflect"
	"slices"
)

// exportedBy returns what scripts export, by name.
func exportedBy(scripts map[string]*running) map[string]*metric {
	all := map[string]*metric{}
	for _, r := range scripts {
		for _, m := range r.metrics.exported() {
			all[m.name] = m
		}
	}
	return all
}

// takesNames says whether a metric of the script has a name under which series with
// the same labels may have had the counts of something else: of another map, of other
// keys, or on another scale. If the script went on, the difference would look as if it
// had been counted.
func (c *compiled) takesNames(before map[string]*metric) bool {
	return slices.ContainsFunc(c.metrics.exported(), func(m *metric) bool {
		was := before[m.name]
		return was != nil && !m.continues(was) && slices.Equal(m.labelNames(), was.labelNames())
	})
}

// continues says that equal series of both metrics have the counts of the same keys.
func (m *metric) continues(was *metric) bool {
	return m.script.Name == was.script.Name && m.decl.Name == was.decl.Name &&
		reflect.DeepEqual(m.scale, was.scale) && slices.EqualFunc(m.labels, was.labels, label.same)
}

// same says that a label has the same values.
func (l label) same(as label) bool {
	return l.name == as.name && l.part == as.part && l.of.same(as.of) && l.rules.Written == as.rules.Written && l.rules.Keep == as.rules.Keep && maps.Equal(l.rules.Map, as.rules.Map)
}

// labelNames are the names of its labels, in their order.
func (m *metric) labelNames() (names []string) {
	for _, l := range m.labels {
		names = append(names, l.name)
	}
	slices.Sort(names)
	return names
}
