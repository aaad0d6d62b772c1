package exporter

import (
	"fmt"
	"slices"

	"ply-exporter/bpfgen/object"
	"ply-exporter/tracer"
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
func (m *metric) continues(was *metric) bool { return m.meaning() == was.meaning() }

// pinName is what the script's pins are known by. Of other scripts under its name, and of
// others under its metrics' names, it takes over nothing: see takesNames.
func (c *compiled) pinName() tracer.PinName {
	claims := map[string]string{}
	for _, m := range c.metrics.exported() {
		claims[fmt.Sprintf("%s%q", m.name, m.labelNames())] = m.meaning()
	}
	var joined []string
	for i, m := range c.metrics {
		if m.starts() && m.joins(c.object.Maps[i]) {
			joined = append(joined, c.object.Maps[i].Name)
		}
	}
	return tracer.PinName{Name: c.conf.Name, Claims: claims, Joined: joined, Resume: c.resume, Needs: c.needs()}
}

// needs says what series have that is not in the maps; "" if they have nothing.
func (c *compiled) needs() string {
	for _, m := range c.metrics.exported() {
		switch {
		case m.hasGroups():
			return "series of " + m.name + " have counts of containers that ended"
		case m.top > 0 && m.starts():
			return "what was counted of " + m.name + " in which series depends on what was among the largest"
		}
	}
	return ""
}

// joins says whether several keys may have the same labels: some of their parts are not
// shown, or not as they are.
func (m *metric) joins(mp *object.Map) bool {
	return len(m.labels) < len(mp.Key) || slices.ContainsFunc(m.labels, func(l label) bool {
		return l.of != nil || l.rules.Regexp != nil || len(l.rules.Map) > 0 || mp.Key[l.part].Type.Display != nil
	})
}

// meaning is the same for metrics that continue each other.
func (m *metric) meaning() string {
	text := fmt.Sprintf("%s %s * %s", m.script.Name, m.decl.Name, m.scale.factor)
	for _, l := range m.labels {
		text += fmt.Sprintf(", %s of %d%s: %q %t %q", l.name, l.part, l.of.meaning(), l.rules.Written, l.rules.Keep, l.rules.Map)
	}
	text += m.native.meaning()
	if m.top > 0 && m.starts() {
		text += fmt.Sprintf(", the largest %d", m.top)
	}
	return text
}

// labelNames are the names of its labels, in their order.
func (m *metric) labelNames() (names []string) {
	for _, l := range m.labels {
		names = append(names, l.name)
	}
	slices.Sort(names)
	return names
}
