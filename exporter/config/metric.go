package config

import (
	"math/big"
	"strings"

	"gopkg.in/yaml.v3"
)

func readMetrics(v value) []*Metric {
	var out []*Metric
	seen := map[string]*Metric{}
	for _, e := range v.list("metrics") {
		m := readMetric(e)
		if first, ok := seen[m.Map]; ok && m.Map != "" {
			e.fail("map %q is already described at %s", m.Map, first.At(""))
		}
		seen[m.Map] = m
		out = append(out, m)
	}
	return out
}

func (v value) isList() bool { return v.node.Kind == yaml.SequenceNode }

// What "type:" and "unit:" may say.
var (
	metricTypes = []string{"counter", "gauge", "histogram"}
	unitNames   = []string{"seconds", "bytes", "ratio", "none"}
)

var metricFields = recordPlaces(func(m *Metric) places { return m.where }, []field[Metric]{
	{"map", func(m *Metric, v value) { m.Map = v.text("map") }},
	{"name", func(m *Metric, v value) { m.Name = v.metricName() }},
	{"help", func(m *Metric, v value) { m.Help = v.text("help") }},
	{"type", func(m *Metric, v value) { m.Type = v.choice("type", metricTypes...) }},
	{"unit", func(m *Metric, v value) { m.Unit = v.choice("unit", unitNames...) }},
	{"scale", func(m *Metric, v value) { m.Scale = v.scale() }},
	{"labels", func(m *Metric, v value) { m.Labels = readLabels(v) }},
	{"buckets", func(m *Metric, v value) { m.Buckets = readBuckets(v) }},
	{"native", func(m *Metric, v value) { m.Native = v.native() }},
	{"max_entries", func(m *Metric, v value) { m.MaxEntries = v.count("max_entries", maxMaxEntries) }},
	{"overflow", func(m *Metric, v value) { m.Overflow = v.choice("overflow", "other", "drop", "evict") }},
	{"expire", func(m *Metric, v value) { m.Expire = v.expire() }},
	{"top", func(m *Metric, v value) { m.Top = v.count("top", maxMaxEntries) }},
	{"export", func(m *Metric, v value) { b := v.flag("export"); m.Export = &b }},
})

func readMetric(v value) *Metric {
	m := &Metric{where: places{"": v.position()}}
	before := len(v.doc.errs)
	readMapping(v, "a metric", m, metricFields)
	if m.Map == "" && len(v.doc.errs) == before {
		v.fail(`a metric needs "map:", the map it describes, with its sigil`)
	}
	return m
}

func (v value) metricName() string {
	name := v.text("name")
	if name != "" && !metricName.MatchString(name) {
		v.fail("metric name %q: only letters, digits and _ may be in it, and no digit first", name)
	}
	return name
}

func (v value) scale() *big.Rat {
	word := v.word("scale")
	if word == "" {
		return nil
	}
	r, ok := parseNumber(word)
	if !ok || r.Sign() <= 0 {
		v.fail("scale must be a number above 0, such as 1e-9")
		return nil
	}
	return r
}

func readBuckets(v value) *Buckets {
	b := &Buckets{}
	if v.isList() {
		b.List = readBounds(v)
		return b
	}
	if v.isScalar() {
		v.fail("buckets must be a list of bounds, such as [1ms, 5ms, 10ms], or {min: 1ms, max: 1s}, not %s", v.kind())
		return b
	}
	readMapping(v, "buckets", b, []field[Buckets]{
		{"min", func(b *Buckets, v value) { b.Min = v.limit("min", 0) }},
		{"max", func(b *Buckets, v value) { b.Max = v.limit("max", 1) }},
	})
	return b
}

func readBounds(v value) []*Bound {
	var out []*Bound
	list := v.list("buckets")
	if len(list) == 0 && len(v.doc.errs) == 0 {
		v.fail("buckets: the list is empty: write bounds, such as [1ms, 5ms, 10ms]")
	}
	for _, e := range list {
		if strings.EqualFold(strings.TrimLeft(e.node.Value, "+."), "inf") {
			e.fail("buckets: %q is above all bounds and always there: leave it out", e.node.Value)
			continue
		}
		b := e.bound("buckets")
		if b == nil {
			continue
		}
		if n := len(out); n > 0 && b.Number.Cmp(out[n-1].Number) <= 0 {
			e.fail("buckets: %s is not above %s before it: bounds ascend", b.Text, out[n-1].Text)
		}
		out = append(out, b)
	}
	return out
}

// limit reads a bound whose sign is at least the given one.
func (v value) limit(what string, sign int) *Bound {
	b := v.bound(what)
	switch {
	case b == nil || b.Number.Sign() >= sign:
		return b
	case sign == 0:
		v.fail("%s: %q is below 0: write a list of bounds if there are negative ones", what, b.Text)
	default:
		v.fail("%s: %q is not above 0", what, b.Text)
	}
	return nil
}

func (v value) bound(what string) *Bound {
	word := v.word(what)
	if word == "" {
		return nil
	}
	b, err := ParseBound(word)
	if err != nil {
		v.fail("%s: %s", what, err)
		return nil
	}
	return b
}
