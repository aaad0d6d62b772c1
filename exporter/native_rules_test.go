package exporter

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"ply-exporter/internal/promtest"
)

// What is scraped of a native histogram is what rules are tested with: an alert on a quantile
// fires above it, and is silent below.
func TestNativeHistogramsInRules(t *testing.T) {
	for _, tt := range []struct {
		x, metric, name string
		scale           float64
		below           []int64
	}{
		{"time - time, 3", "native: true", "ply_net_seconds", 1e9, nil},
		{"(s64)pid, 3", "native: true, name: ply_net", "ply_net", 1, []int64{-3_000, -2_000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newNativeScript(t, tt.x, tt.metric)
			numbers := append(tt.below, 0, 0)
			r := rand.New(rand.NewPCG(3, 4))
			for range 5000 {
				numbers = append(numbers, int64(1e6*math.Exp(r.NormFloat64())))
			}
			s.put(numbers)
			slices.Sort(numbers)
			rules, tests := rulesOf(tt.name, s.histogram(), float64(numbers[len(numbers)*99/100])/tt.scale, len(tt.below))
			if err := promtest.TestNativeRules(t, rules, tests); err != nil {
				t.Errorf("%v\n%s%s", err, rules, tests)
			}
		})
	}
}

// rulesOf are rules about a histogram and what they give, if one number in a hundred is at
// least the slowest, and so many are negative.
func rulesOf(name string, h *dto.Histogram, slowest float64, negative int) (rules, tests string) {
	above := fmt.Sprintf("histogram_quantile(0.99, increase(%s[5m])) >", name)
	rules = fmt.Sprintf(`
groups:
  - name: net
    rules:
      - {alert: Slow, expr: '%s %g'}
      - {alert: Slower, expr: '%[1]s %[3]g'}
`, above, slowest/math.Exp2(1.0/8), slowest*math.Exp2(1.0/8))
	tests = fmt.Sprintf(`
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: %[1]s, values: '{{schema:%[2]d}} {{schema:%[2]d}} %[3]s'}
    alert_rule_test:
      - {eval_time: 5m, alertname: Slow, exp_alerts: [{}]}
      - {eval_time: 5m, alertname: Slower}
    promql_expr_test:
      - {expr: histogram_count(%[1]s), eval_time: 5m, exp_samples: [{value: %[4]d}]}
      - {expr: histogram_sum(%[1]s), eval_time: 5m, exp_samples: [{value: %[5]v}]}
      - {expr: 'histogram_fraction(-Inf, -1, %[1]s) * histogram_count(%[1]s)', eval_time: 5m, exp_samples: [{value: %[6]d}]}
`, name, h.GetSchema(), seriesText(h), h.GetSampleCount(), h.GetSampleSum(), negative)
	return rules, tests
}

// seriesText is a native histogram as tests of rules have it, for ten minutes.
func seriesText(h *dto.Histogram) string {
	positive, at := countsText(bucketsOf(h.PositiveSpan, h.PositiveDelta))
	negative, below := countsText(bucketsOf(h.NegativeSpan, h.NegativeDelta))
	return fmt.Sprintf("{{schema:%d count:%d sum:%v z_bucket:%d z_bucket_w:%v offset:%d buckets:[%s] n_offset:%d n_buckets:[%s]}}x10", h.GetSchema(),
		h.GetSampleCount(), h.GetSampleSum(), h.GetZeroCount(), h.GetZeroThreshold(), at, positive, below, negative)
}

// countsText are all counts from the first one on that is not 0.
func countsText(counts map[int]int64) (text string, first int) {
	indices := slices.Sorted(maps.Keys(counts))
	if len(indices) == 0 {
		return "0", 0
	}
	var list []string
	for i := indices[0]; i <= indices[len(indices)-1]; i++ {
		list = append(list, fmt.Sprint(counts[i]))
	}
	return strings.Join(list, " "), indices[0]
}
