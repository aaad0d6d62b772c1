package values

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// A metric is a number of a scrape: the sum of all series of a name whose labels
// have the given values. Of histograms and summaries the name ends in _count or
// _sum; or in _bucket, and the label le is the bound of one.
type metric struct {
	name   string
	labels map[string]string
}

// ours is a metric by its name, and labels with their values: "errno", "EIO".
func ours(name string, labels ...string) metric {
	m := metric{name, map[string]string{}}
	for i := 0; i < len(labels); i += 2 {
		m.labels[labels[i]] = labels[i+1]
	}
	return m
}

func (m metric) String() string {
	var labels []string
	for _, name := range slices.Sorted(maps.Keys(m.labels)) {
		labels = append(labels, fmt.Sprintf("%s=%q", name, m.labels[name]))
	}
	return m.name + "{" + strings.Join(labels, ",") + "}"
}

func (m metric) of(s scrape) (sum float64) {
	value := number
	family := s[m.name]
	for suffix, part := range parts {
		if name, is := strings.CutSuffix(m.name, suffix); is && family == nil {
			family, value = s[name], part
		}
	}
	if name, is := strings.CutSuffix(m.name, "_bucket"); is {
		family, value = s[name], m.bucket
	}
	for _, sample := range family.GetMetric() {
		if m.matches(sample) {
			sum += value(sample)
		}
	}
	return sum
}

func (m metric) matches(sample *dto.Metric) bool {
	found := 0
	for _, l := range sample.Label {
		if want, ok := m.labels[l.GetName()]; ok && want == l.GetValue() {
			found++
		}
	}
	if _, ok := m.labels["le"]; ok {
		found++
	}
	return found == len(m.labels)
}

// bucket is what is in the bucket with the bound le.
func (m metric) bucket(sample *dto.Metric) float64 {
	for _, b := range sample.GetHistogram().Bucket {
		if strconv.FormatFloat(b.GetUpperBound(), 'g', -1, 64) == m.labels["le"] {
			return float64(b.GetCumulativeCount())
		}
	}
	return math.NaN()
}

func number(m *dto.Metric) float64 {
	return m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
}

// parts are what the name of a part of a histogram or summary ends in.
var parts = map[string]func(*dto.Metric) float64{
	"_count": func(m *dto.Metric) float64 {
		return float64(m.GetHistogram().GetSampleCount() + m.GetSummary().GetSampleCount())
	},
	"_sum": func(m *dto.Metric) float64 { return m.GetHistogram().GetSampleSum() + m.GetSummary().GetSampleSum() },
}
