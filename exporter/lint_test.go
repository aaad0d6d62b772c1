package exporter

import (
	"slices"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// TestLintIsThatOfPromlint compares all that is said of bad families, each of which
// breaks another rule, with promlint's own linter.
func TestLintIsThatOfPromlint(t *testing.T) {
	help := proto.String("Help.")
	label := func(name string) []*dto.Metric {
		return []*dto.Metric{{Label: []*dto.LabelPair{{Name: proto.String(name), Value: proto.String("")}}}}
	}
	families := map[string]*dto.MetricFamily{
		"help":         {Name: proto.String("a")},
		"unit":         {Name: proto.String("a_milliseconds"), Help: help},
		"counter":      {Name: proto.String("a"), Help: help, Type: dto.MetricType_COUNTER.Enum()},
		"total":        {Name: proto.String("a_total"), Help: help, Type: dto.MetricType_GAUGE.Enum()},
		"reserved":     {Name: proto.String("a_bucket"), Help: help, Type: dto.MetricType_GAUGE.Enum(), Metric: label("le")},
		"type":         {Name: proto.String("a_gauge"), Help: help, Type: dto.MetricType_GAUGE.Enum()},
		"colon":        {Name: proto.String("a:b"), Help: help, Type: dto.MetricType_GAUGE.Enum()},
		"camelCase":    {Name: proto.String("aB"), Help: help, Type: dto.MetricType_GAUGE.Enum(), Metric: label("cD")},
		"abbreviation": {Name: proto.String("a_ms_s"), Help: help, Type: dto.MetricType_GAUGE.Enum()},
		"duplicate":    {Name: proto.String("a"), Help: help, Type: dto.MetricType_GAUGE.Enum(), Metric: append(label("b"), label("b")...)},
	}
	for name, f := range families {
		problems, err := promlint.NewWithMetricFamilies([]*dto.MetricFamily{f}).Lint()
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, p := range problems {
			want = append(want, p.Text)
		}
		want = slices.Compact(want)
		if got := lintFamily(f); len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: %q, but promlint says %q", name, got, want)
		}
	}
}
