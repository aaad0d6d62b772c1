package configtest

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"
	"sort"
	"strings"

	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
)

// What a test sees of a series: of counters and of the parts of histograms how much
// they went up between two readings, of gauges the second one. Several series that a
// selector picks are added up. What is not there counts as 0, unless it is a gauge.

// A comparison is two readings.
type comparison struct{ rows []row }

// A row is a series as a test sees it.
type row struct {
	exporter.Series
	got   float64
	fuzzy float64 // by how much rounding may have changed got
}

func newComparison(before, after []exporter.Series) *comparison {
	was := map[string]float64{}
	for _, s := range before {
		was[seriesText(s)] = s.Value
	}
	c := &comparison{}
	for _, s := range after {
		r := row{Series: s, got: s.Value, fuzzy: rounding(s.Value)}
		if before := was[seriesText(s)]; !s.Gauge && before <= s.Value { // else it was reset
			r.got -= before
			r.fuzzy += rounding(before)
		}
		c.rows = append(c.rows, r)
	}
	return c
}

// rounding is by how much a sum in another unit may be off. Whole numbers are exact.
func rounding(v float64) float64 {
	if v == math.Trunc(v) {
		return 0
	}
	return math.Nextafter(math.Abs(v), math.Inf(1)) - math.Abs(v)
}

// seriesText is a series as the text format has it, without its value.
func seriesText(s exporter.Series) string {
	if len(s.Labels) == 0 {
		return s.Metric
	}
	texts := make([]string, len(s.Labels))
	for i, l := range s.Labels {
		texts[i] = fmt.Sprintf("%s=%q", l.Name, l.Value)
	}
	return s.Metric + "{" + strings.Join(texts, ",") + "}"
}

// pick returns the rows that a selector picks.
func (c *comparison) pick(s *config.Selector) (out []row) {
	for _, r := range c.rows {
		if r.Metric == s.Metric && !slices.ContainsFunc(s.Matchers, func(m config.Matcher) bool { return !m.Matches(r.label(m.Label)) }) {
			out = append(out, r)
		}
	}
	return out
}

func (r *row) label(name string) string {
	for _, l := range r.Labels {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

// compare returns what is not as the test expects.
func (t *testRun) compare(c *comparison) (faults []string) {
	samples := samplesOf(t.subject.Metrics())
	shown := ""
	for _, e := range t.test.Expect {
		s, picked := samples[e.Series.Metric], c.pick(e.Series)
		for _, f := range unmet(e, s, picked) {
			faults = append(faults, e.At(f.key).Errorf("%s: expected %s, got %s", e.Series.Text, f.expected, f.got).Detail())
			switch {
			case f.key == "absent":
				faults = append(faults, rowsText(s, picked))
			case shown != e.Series.Metric:
				shown = e.Series.Metric
				faults = append(faults, rowsText(s, c.pick(&config.Selector{Metric: shown})))
			}
		}
	}
	if len(faults) > 0 {
		faults = append(faults, c.losses()...)
	}
	return faults
}

// An unmetKey is a key of an expectation that is not met.
type unmetKey struct{ key, expected, got string }

func unmet(e *config.Expectation, s sample, picked []row) (out []unmetKey) {
	add := func(key, expected, got string) { out = append(out, unmetKey{key, expected, got}) }
	total, fuzzy := 0.0, 0.0
	for _, r := range picked {
		total, fuzzy = total+r.got, fuzzy+r.fuzzy
	}
	got := number(total)
	if len(picked) == 0 {
		got = "no such series"
	}
	gone := len(picked) == 0 && s.Type == "gauge"
	over, under := func(b *config.Bound) bool { return gone || compareTo(b, total, fuzzy) > 0 }, func(b *config.Bound) bool { return gone || compareTo(b, total, fuzzy) < 0 }
	switch {
	case e.Value != nil && (over(e.Value) || under(e.Value)):
		add("value", e.Value.Text, got)
	case e.Min != nil && under(e.Min):
		add("min", "at least "+e.Min.Text, got)
	case e.Max != nil && over(e.Max):
		add("max", "at most "+e.Max.Text, got)
	case e.Absent && len(picked) > 0:
		add("absent", "no such series", fmt.Sprintf("%d", len(picked)))
	}
	if e.Labels != nil && !slices.Equal(sorted(e.Labels), sorted(s.labels)) {
		add("labels", "the labels "+orNone(sorted(e.Labels)), orNone(sorted(s.labels)))
	}
	return out
}

// compareTo compares what was got with a bound: 0 is as near as rounding allows.
func compareTo(b *config.Bound, got, fuzzy float64) int {
	want, _ := b.Number.Float64()
	if math.Abs(got-want) <= fuzzy {
		return 0
	}
	exact := new(big.Rat).SetFloat64(got)
	if exact == nil { // infinite
		return cmp.Compare(got, want)
	}
	if fuzzy > 0 || got == want {
		return cmp.Compare(got, want)
	}
	return exact.Cmp(b.Number)
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// maxRows is how many series are shown below what was expected of some.
const maxRows = 10

// rowsText shows series of a metric, the largest first.
func rowsText(s sample, rows []row) string {
	if len(rows) == 0 {
		return "the metric has no series"
	}
	sort.SliceStable(rows, func(i, j int) bool { return cmp.Less(rows[j].got, rows[i].got) })
	head := "the series, and by how much they went up:"
	if s.Type == "gauge" {
		head = "the series:"
	}
	lines := []string{head}
	for _, r := range rows[:min(len(rows), maxRows)] {
		lines = append(lines, "    "+seriesText(r.Series)+" "+number(r.got))
	}
	if rest := len(rows) - maxRows; rest > 0 {
		lines = append(lines, fmt.Sprintf("    and %d more", rest))
	}
	return strings.Join(lines, "\n")
}

// losses tells what was lost meanwhile, which may be why a value is too low.
func (c *comparison) losses() (lines []string) {
	for _, r := range c.rows {
		switch r.Metric {
		case "ply_map_dropped_total", "ply_probe_missed_total", "ply_events_lost_total":
			if r.got > 0 {
				lines = append(lines, fmt.Sprintf("lost meanwhile: %s went up by %s", seriesText(r.Series), number(r.got)))
			}
		}
	}
	return lines
}
