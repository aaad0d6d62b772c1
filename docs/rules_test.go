package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ply-exporter/internal/promtest"
)

var (
	ymlBlock  = regexp.MustCompile("(?ms)^```yml\n(.*?)^```$")
	alertName = regexp.MustCompile(`(?m)^ *- alert: (\w+)$`)
)

// rulesOf returns the rule files that a page shows: blocks of yml. The blocks of
// yaml are configurations.
func rulesOf(t *testing.T, page string) (rules []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range ymlBlock.FindAllSubmatch(text, -1) {
		rules = append(rules, string(match[1]))
	}
	return rules
}

// Every rule file in the documentation is one.
func TestRulesInTheDocumentation(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range pages {
		for _, rules := range rulesOf(t, page) {
			found++
			if err := promtest.CheckRules(t, rules); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
	if found == 0 {
		t.Error("no rule files were found")
	}
}

// The series at which each alert of operations.md fires, and does not.
var ownAlerts = map[string]struct{ fires, silent, series string }{
	"PlyExporterDown":  {"0x60", "1x60", `up{job="ply-exporter", instance="a"}`},
	"PlyScriptDown":    {"0x60", "1x60", `ply_script_up{instance="a", script="s"}`},
	"PlyMapFull":       {"0+5x60", "7x60", `ply_map_dropped_total{instance="a", script="s", map="@"}`},
	"PlySeriesOmitted": {"3x60", "0x60", `ply_scrape_series_omitted{instance="a", script="s"}`},
	"PlyEventsMissed":  {"0+9000x60", "0+1000x60", `ply_probe_missed_total{instance="a", script="s", probe="p"}`},
}

func TestAlertsOnItself(t *testing.T) {
	rules := rulesOf(t, "operations.md")
	if len(rules) != 1 {
		t.Fatalf("operations.md has %d rule files, want 1", len(rules))
	}
	names := alertName.FindAllStringSubmatch(rules[0], -1)
	if len(names) != len(ownAlerts) {
		t.Errorf("operations.md has %d alerts, the test %d", len(names), len(ownAlerts))
	}
	for _, name := range names {
		a, ok := ownAlerts[name[1]]
		if !ok {
			t.Errorf("no test for %s", name[1])
			continue
		}
		for values, fires := range map[string]bool{a.fires: true, a.silent: false} {
			if err := promtest.TestRules(t, rules[0], alertTest(name[1], a.series, values, fires)); err != nil {
				t.Errorf("%s at %s: %v", name[1], values, err)
			}
		}
	}
}

// alertTest is a file for promtool test rules: an alert fires, or does not, after
// 55 minutes of a series with these values. How an alert is labeled and said is
// not compared: Debian's promtool can only compare all of it.
func alertTest(alert, series, values string, fires bool) string {
	sample := " []"
	if fires {
		sample = "\n          - {labels: '{}', value: 1}"
	}
	return fmt.Sprintf(strings.TrimLeft(`
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series: [{series: '%s', values: '%s'}]
    promql_expr_test:
      - expr: count(ALERTS{alertname="%s", alertstate="firing"})
        eval_time: 55m
        exp_samples:%s
`, "\n"), series, values, alert, sample)
}
