package configtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// A checker finds expectations that no run could meet, before anything runs: of
// metrics, labels and buckets that the configuration does not have. And those that
// every run meets.
type checker struct {
	samples map[string]sample // by name
	partial bool              // a script does not compile on this kernel: what it exports is not known
	errs    plylang.ErrorList
}

// A sample is what lines of a scrape with one name are.
type sample struct {
	exporter.MetricInfo
	labels []string
	unit   string
}

func newChecker(s Subject) *checker {
	return &checker{samples: samplesOf(s.Metrics()), partial: len(s.Failed()) > 0}
}

// samplesOf returns the lines that metrics have, by their name.
func samplesOf(metrics []exporter.MetricInfo) map[string]sample {
	all := map[string]sample{}
	for _, m := range metrics {
		plain := sample{m, m.Labels, m.Unit}
		switch m.Type {
		case "histogram":
			all[m.Name+"_bucket"] = sample{m, append(slices.Clone(m.Labels), "le"), ""}
			fallthrough
		case "summary":
			all[m.Name+"_sum"] = plain
			all[m.Name+"_count"] = sample{m, m.Labels, ""}
		default:
			all[m.Name] = plain
		}
	}
	return all
}

func (c *checker) test(t *config.Test) {
	for _, e := range t.Expect {
		c.expectation(e)
	}
}

func (c *checker) expectation(e *config.Expectation) {
	s, ok := c.samples[e.Series.Metric]
	if !ok {
		if !c.partial {
			c.errs = append(c.errs, e.At("series").Errorf("%s", c.unknown(e.Series.Metric)))
		}
		return
	}
	for _, m := range e.Series.Matchers {
		switch {
		case !slices.Contains(s.labels, m.Label):
			c.fail(e, m.Label, "%s has no label %q%s", e.Series.Metric, m.Label, orLabels(m.Label, s.labels))
		case m.Label == "le" && !s.hasBucket(m):
			c.fail(e, m.Label, "%s has no bucket that ends at %s: its bounds are %s", s.Name, m.Value, boundsText(s.Bounds))
		}
	}
	if e.Min != nil && e.Max == nil && e.Min.Number.Sign() <= 0 && s.onlyRises(e.Series.Metric) {
		c.errs = append(c.errs, e.At("min").Errorf("%s never goes down, so that this cannot fail: write min: 1, or the value", e.Series.Metric))
	}
	for _, b := range []*config.Bound{e.Value, e.Min, e.Max} {
		if b != nil && b.Time && s.unit != "seconds" {
			c.errs = append(c.errs, e.At("").Errorf("%s is a time, but %s is not in seconds: write a number", b.Text, e.Series.Metric))
		}
	}
}

// onlyRises says whether the lines with a name count something. A sum can have
// negative parts.
func (s sample) onlyRises(name string) bool {
	return s.Type == "counter" || s.Type != "gauge" && name != s.Name+"_sum"
}

func (c *checker) fail(e *config.Expectation, label, format string, args ...any) {
	c.errs = append(c.errs, e.MatcherAt(label).Errorf(format, args...))
}

// unknown is the error for a name that no line of a scrape has.
func (c *checker) unknown(name string) string {
	if s, ok := c.samples[name+"_count"]; ok {
		names := name + "_count or " + name + "_sum"
		if s.Type == "histogram" {
			names = name + "_bucket, " + names
		}
		return fmt.Sprintf("%s is a %s: write %s", name, s.Type, names)
	}
	var names []string
	for n := range c.samples {
		names = append(names, n)
	}
	slices.Sort(names)
	if q := plylang.DidYouMean(name, names); q != "" {
		return fmt.Sprintf("the configuration has no metric %q%s", name, q)
	}
	return fmt.Sprintf("the configuration has no metric %q: ply-exporter check lists what it has", name)
}

func orLabels(name string, labels []string) string {
	switch q := plylang.DidYouMean(name, labels); {
	case q != "":
		return q
	case len(labels) == 0:
		return ": it has none"
	}
	return ": it has " + strings.Join(labels, ", ")
}

// hasBucket says whether a matcher of le can pick a bucket.
func (s sample) hasBucket(m config.Matcher) bool {
	if m.Matches("+Inf") {
		return true
	}
	return slices.ContainsFunc(s.Bounds, func(le float64) bool { return m.Matches(number(le)) })
}

func boundsText(bounds []float64) string {
	texts := make([]string, len(bounds))
	for i, le := range bounds {
		texts[i] = number(le)
	}
	return strings.Join(append(texts, "+Inf"), ", ")
}

// number is a number as the text format has it.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
