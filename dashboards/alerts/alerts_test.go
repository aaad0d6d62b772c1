// Package alerts has rule files for Prometheus: alerts on what the configurations
// that come with the exporter measure, and on the exporter itself.
package alerts

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"ply-exporter/configs"
	"ply-exporter/exporter/config"
	"ply-exporter/internal/checked"
	"ply-exporter/internal/promtest"
	"ply-exporter/plylang"
)

// A file of rules, as far as the tests look into it.
type file struct {
	Groups []struct {
		Name  string
		Rules []rule
	}
	text string
}

type rule struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

// itself has the alerts on the exporter; every other file has those on a
// configuration of its name.
const itself = "exporter.yaml"

func files(t *testing.T) map[string]file {
	t.Helper()
	names, err := filepath.Glob("*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no rules: %v", err)
	}
	all := map[string]file{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f := file{text: string(text)}
		if err := yaml.Unmarshal(text, &f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = f
	}
	return all
}

func (f file) rules() (rules []rule) {
	for _, g := range f.Groups {
		rules = append(rules, g.Rules...)
	}
	return rules
}

// Prometheus takes all files together, and each alert fires when it should and does
// not when it should not.
func TestAlerts(t *testing.T) {
	rules, left, tests := "groups:\n", maps.Clone(series), []promtest.AlertTest{}
	for name, f := range files(t) {
		_, groups, _ := strings.Cut(f.text, "groups:\n")
		rules += groups
		for _, r := range f.rules() {
			s, ok := left[r.Alert]
			if !ok {
				t.Errorf("%s: no test for %s, or another alert of this name", name, r.Alert)
			}
			delete(left, r.Alert)
			tests = append(tests, promtest.AlertTest{Alert: r.Alert, Series: s.fires, Fires: true}, promtest.AlertTest{Alert: r.Alert, Series: s.silent})
		}
	}
	for name := range left {
		t.Errorf("there is no alert %s", name)
	}
	if err := promtest.CheckRules(t, rules); err != nil {
		t.Error(err)
	}
	if err := promtest.TestAlerts(t, rules, tests...); err != nil {
		t.Error(err)
	}
}

// An alert says how bad it is, what happens, what that means, and where to go on.
func TestAlertsAreComplete(t *testing.T) {
	for name, f := range files(t) {
		for _, r := range f.rules() {
			if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
				t.Errorf("%s: %s has the severity %q", name, r.Alert, r.Labels["severity"])
			}
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s: %s has no summary or no description", name, r.Alert)
			}
			if want := "docs/runbooks.md#" + strings.ToLower(r.Alert); r.Annotations["runbook"] != want {
				t.Errorf("%s: the runbook of %s is %q, want %q", name, r.Alert, r.Annotations["runbook"], want)
			}
		}
	}
}

// The metrics of a rule file are what its configuration exports, and so are their
// labels: whoever renames one finds the alert that would never fire again. So are
// those that the tests invent.
func TestAlertsNameWhatIsExported(t *testing.T) {
	for name, f := range files(t) {
		exported := exportedFor(t, name)
		for _, r := range f.rules() {
			exported.check(t, r)
		}
	}
}

// exported are the labels of each metric, by the name of a sample, with the values
// that a label can have where the configuration says them.
type exported map[string]map[string][]string

// target are the labels of every series.
var target = []string{"job", "instance"}

func (e exported) add(sample string, labels ...string) {
	e[sample] = map[string][]string{}
	for _, label := range append(labels, target...) {
		e[sample][label] = nil
	}
}

func exportedFor(t *testing.T, rules string) exported {
	t.Helper()
	all := exported{}
	all.add("up")
	if rules == itself {
		all.addOwn(t)
		return all
	}
	text, err := configs.Files.ReadFile(rules)
	if err != nil {
		if text, err = configs.Files.ReadFile("userspace/" + rules); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Parse(rules, checked.Programs(t, text))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	metrics, err := checked.Metrics(checked.Backend(t, "7.3-amd64"), cfg.Scripts...)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	for _, m := range metrics {
		all.add(m.Name, m.Labels...)
		if m.Type == "histogram" || m.Type == "summary" {
			all.add(m.Name+"_sum", m.Labels...)
			all.add(m.Name+"_count", m.Labels...)
		}
		if m.Type == "histogram" {
			all.add(m.Name+"_bucket", append(m.Labels, "le")...)
		}
	}
	all.addValues(cfg)
	return all
}

// addValues takes from a configuration which values labels have: those of tables
// that name all of them.
func (e exported) addValues(cfg *config.Config) {
	for _, s := range cfg.Scripts {
		for _, m := range s.Metrics {
			for _, l := range m.Labels {
				for _, suffix := range []string{"", "_sum", "_count", "_bucket"} {
					labels := e[m.Name+suffix]
					if labels != nil && len(l.Map) > 0 && l.Regexp == nil && l.Name != "errno" {
						labels[l.Name] = slices.Collect(maps.Values(l.Map))
					}
				}
			}
		}
	}
}

// ownMetric is a metric of the exporter itself in its source.
var ownMetric = regexp.MustCompile(`&selfMetric\{"(\w+)", .*\[\]string\{(.*)\}\}`)

func (e exported) addOwn(t *testing.T) {
	t.Helper()
	source, err := os.ReadFile("../../exporter/selfmetrics.go")
	if err != nil {
		t.Fatal(err)
	}
	found := ownMetric.FindAllStringSubmatch(string(source), -1)
	if len(found) < 10 {
		t.Fatalf("only %d of the exporter's own metrics were found", len(found))
	}
	for _, m := range found {
		e.add(m[1], strings.Split(strings.ReplaceAll(m[2], `"`, ""), ", ")...)
	}
	reload, err := os.ReadFile("../../exporter/reload.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`NewDesc\("(\w+)", ".*", nil, nil\)`).FindAllSubmatch(reload, -1) {
		e.add(string(m[1]))
	}
	e.add("process_start_time_seconds") // of the Prometheus client
	e.add("scrape_duration_seconds")    // of Prometheus
}

var (
	// selected is a metric with what is in braces after it; functions have parentheses.
	selected = regexp.MustCompile(`\b([a-z]\w*)\b(\{[^}]*\})?( *\(?)`)
	grouping = regexp.MustCompile(`\b(?:by|on) \(([^)]*)\)`)
	shown    = regexp.MustCompile(`\$labels\.(\w+)`)
	words    = []string{"and", "or", "unless", "offset"}
)

func (e exported) check(t *testing.T, r rule) {
	t.Helper()
	used := map[string][]string{} // labels of the metrics in the expression
	expr := grouping.ReplaceAllString(r.Expr, "")
	for _, s := range selectors(t, expr) {
		e.checkSelector(t, r.Alert, s)
		for label := range e[s.Metric] {
			used[label] = nil
		}
	}
	for _, match := range grouping.FindAllStringSubmatch(r.Expr, -1) {
		for label := range strings.SplitSeq(match[1], ", ") {
			if _, ok := used[label]; !ok {
				t.Errorf("%s groups by %s, which none of its metrics has", r.Alert, label)
			}
		}
	}
	kept := used
	if first := grouping.FindStringSubmatch(r.Expr); first != nil && strings.Contains(r.Expr, "by (") {
		kept = map[string][]string{}
		for label := range strings.SplitSeq(first[1], ", ") {
			kept[label] = nil
		}
	}
	for _, match := range shown.FindAllStringSubmatch(fmt.Sprint(r.Annotations), -1) {
		if _, ok := kept[match[1]]; !ok {
			t.Errorf("%s shows $labels.%s, which its result does not have", r.Alert, match[1])
		}
	}
	for _, input := range []map[string]string{series[r.Alert].fires, series[r.Alert].silent} {
		for text := range input {
			s, err := config.ParseSelector(text)
			if err != nil {
				t.Errorf("the test of %s: %v", r.Alert, err)
				continue
			}
			e.checkSelector(t, "the test of "+r.Alert, s)
		}
	}
}

// selectors are those of an expression that has no strings but in selectors.
func selectors(t *testing.T, expr string) (all []*config.Selector) {
	t.Helper()
	for _, m := range selected.FindAllStringSubmatch(expr, -1) {
		if strings.HasSuffix(m[3], "(") || slices.Contains(words, m[1]) {
			continue
		}
		s, err := config.ParseSelector(m[1] + m[2])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// checkSelector says what is wrong with a selector in an alert or in its test.
func (e exported) checkSelector(t *testing.T, where string, s *config.Selector) {
	t.Helper()
	labels, ok := e[s.Metric]
	if !ok {
		t.Errorf("%s: nothing exports %s", where, s.Metric)
	}
	for _, m := range s.Matchers {
		values, ok := labels[m.Label]
		if !ok {
			t.Errorf("%s: %s has no label %s", where, s.Metric, m.Label)
		}
		for value := range strings.SplitSeq(m.Value, "|") {
			if values != nil && !slices.Contains(values, value) {
				t.Errorf("%s: %s of %s is never %q", where, m.Label, s.Metric, value)
			}
		}
	}
}
