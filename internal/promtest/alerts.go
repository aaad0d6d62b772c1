package promtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// An AlertTest says whether an alert fires after 55 minutes of series with these
// values, in the notation of promtool ("0+5x60"). A series that is not named is
// not there.
type AlertTest struct {
	Alert  string
	Series map[string]string // values by series
	Fires  bool
}

// TestAlerts runs promtool test rules once, over the text of a rule file. How an
// alert is labeled and said is not compared: Debian's promtool can only compare
// all of it.
func TestAlerts(t testing.TB, rules string, tests ...AlertTest) error {
	t.Helper()
	text := "rule_files: [rules.yml]\nevaluation_interval: 5m\ntests:\n"
	for _, together := range separate(tests) {
		text += textOf(together)
	}
	return TestRules(t, rules, text)
}

// separate puts tests together that have no metric in common: each storage that
// promtool makes takes a tenth of a second.
func separate(tests []AlertTest) (groups [][]AlertTest) {
	var metrics []map[string]bool // of each group
	for _, test := range tests {
		own := map[string]bool{}
		for series := range test.Series {
			name, _, _ := strings.Cut(series, "{")
			own[name] = true
		}
		at := slices.IndexFunc(metrics, func(others map[string]bool) bool { return !overlap(own, others) })
		if at < 0 {
			at = len(groups)
			groups, metrics = append(groups, nil), append(metrics, map[string]bool{})
		}
		groups[at] = append(groups[at], test)
		maps.Copy(metrics[at], own)
	}
	return groups
}

func overlap(a, b map[string]bool) bool {
	for name := range a {
		if b[name] {
			return true
		}
	}
	return false
}

func textOf(tests []AlertTest) string {
	var series, expected []string
	for _, a := range tests {
		for name, values := range a.Series {
			series = append(series, fmt.Sprintf("      - {series: '%s', values: '%s'}\n", name, values))
		}
		sample := "[]"
		if a.Fires {
			sample = "[{labels: '{}', value: 1}]"
		}
		expected = append(expected, fmt.Sprintf(`      - expr: count(count by (alertname) (ALERTS{alertname="%s", alertstate="firing"}))
        eval_time: 55m
        exp_samples: %s
`, a.Alert, sample))
	}
	slices.Sort(series)
	return "  - interval: 1m\n    input_series:\n" + strings.Join(series, "") + "    promql_expr_test:\n" + strings.Join(expected, "")
}
