package docs

import (
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/internal/promtest"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

// What the recipes export is compared by internal/values. Here it is whether they
// are complete, and whether Prometheus takes what they say.

var (
	recipeHead  = regexp.MustCompile(`(?m)^### (.*)$`)
	promqlBlock = regexp.MustCompile("(?ms)^```promql\n(.*?)^```$")
)

// recipesOf returns the recipes of the page by their question.
func recipesOf(page string) map[string]string {
	all := map[string]string{}
	heads := recipeHead.FindAllStringSubmatchIndex(page, -1)
	for i, head := range heads {
		end := len(page)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		all[page[head[2]:head[3]]] = page[head[1]:end]
	}
	return all
}

// Each recipe has a script, a query, and says what it does not count.
func TestRecipesAreComplete(t *testing.T) {
	all := recipesOf(Cookbook)
	if len(all) < 11 {
		t.Errorf("the cookbook has %d recipes, want 11 at least", len(all))
	}
	for question, text := range all {
		if !yamlBlock.MatchString(text) || !promqlBlock.MatchString(text) || !strings.Contains(text, "Not counted:") {
			t.Errorf("%s has no script, no query, or does not say what is not counted", question)
		}
		if !strings.HasSuffix(question, "?") {
			t.Errorf("%s is no question", question)
		}
	}
}

// The scripts are as short as they can be, in canonical spelling, and compile
// without a warning for every kernel that has what they need.
func TestScriptsOfTheCookbook(t *testing.T) {
	for _, name := range []string{"5.10-amd64", "6.18-amd64", "7.3-amd64"} {
		k, err := kernel.Open(recorded.Files(name))
		if err != nil {
			t.Fatal(err)
		}
		backend := unverified{exporter.NewBackend(k, slog.New(slog.DiscardHandler), false)}
		for _, match := range yamlBlock.FindAllStringSubmatch(Cookbook, -1) {
			text := match[1]
			if !strings.HasPrefix(text, "scripts:") {
				text = "scripts:\n" + text
			}
			cfg, err := config.Parse("cookbook.md", []byte(text))
			if err != nil {
				t.Fatal(plylang.Detail(err))
			}
			checkRecipe(t, name, cfg, backend)
		}
	}
}

// An unverified is a backend without a kernel.
type unverified struct{ *exporter.KernelBackend }

func (unverified) Verify(*object.Object) error { return nil }

func checkRecipe(t *testing.T, kernelName string, cfg *config.Config, backend exporter.Backend) {
	t.Helper()
	for _, s := range cfg.Scripts {
		if lines := strings.Count(strings.TrimSpace(s.Source.Text), "\n") + 1; lines > 10 {
			t.Errorf("script %s has %d lines, more than 10", s.Name, lines)
		}
		if got, err := plylang.Format(s.Source); err != nil || strings.TrimSpace(got) != strings.TrimSpace(s.Source.Text) {
			t.Errorf("script %s is written\n%s\nand formatted\n%s", s.Name, s.Source.Text, got)
		}
	}
	var said strings.Builder
	if err := exporter.Check(&said, cfg, backend, exporter.Limits{}); err != nil && !strings.Contains(said.String(), "does not run here") {
		t.Errorf("%s: %s", kernelName, plylang.Detail(err))
	}
	if strings.Contains(said.String(), "warning:") {
		t.Errorf("%s: %s", kernelName, said.String())
	}
}

// Prometheus understands the queries.
func TestQueriesOfTheCookbook(t *testing.T) {
	rules := "groups:\n  - name: queries\n    rules:\n"
	for i, match := range promqlBlock.FindAllStringSubmatch(Cookbook, -1) {
		rules += fmt.Sprintf("      - record: query:%d\n        expr: |\n          %s\n", i, strings.ReplaceAll(strings.TrimSpace(match[1]), "\n", "\n          "))
	}
	if err := promtest.CheckRules(t, rules); err != nil {
		t.Errorf("%v\n%s", err, rules)
	}
}

// An alert fires at the first values of its series and not at the second; a series
// without values is not there. The text of series is that of promtool.
type alert struct{ fires, silent map[string]string }

var cookbookAlerts = map[string]alert{
	"OutOfFilesOrSpace": {
		map[string]string{`ply_call_errors_total{syscall="sys_openat", errno="EMFILE"}`: "0+3x60"},
		map[string]string{`ply_call_errors_total{syscall="sys_openat", errno="EMFILE"}`: "9x60", `ply_call_errors_total{syscall="sys_openat", errno="ENOENT"}`: "0+3x60"},
	},
	"BackupTooOld": {
		map[string]string{`ply_backup_success_timestamp_seconds{instance="a"}`: "-95000x60", `process_start_time_seconds{job="ply-exporter", instance="a"}`: "-99000x60"},
		map[string]string{`ply_backup_success_timestamp_seconds{instance="a"}`: "-5000x60", `process_start_time_seconds{job="ply-exporter", instance="a"}`: "-99000x60"},
	},
	"DebuggerAttached":           {one(`ply_ptrace_attaches_total{user="root"}`, "0x50 1x10"), one(`ply_ptrace_attaches_total{user="root"}`, "0 1x60")},
	"RefusedToBecomeAnotherUser": {one(`ply_setuid_total{user="bob", errno="EPERM"}`, "0+1x60"), one(`ply_setuid_total{user="bob", errno="OK"}`, "0+1x60")},
	"ClockWasSet":                {one(`ply_clock_sets_total{syscall="sys_clock_settime", errno="OK"}`, "0x50 1x10"), one(`ply_clock_sets_total{syscall="sys_clock_settime", errno="EPERM"}`, "0x50 1x10")},
	"ProgramCrashes":             {one(`ply_crashes_total{comm="web", signal="SIGSEGV"}`, "0+1x60"), one(`ply_crashes_total{comm="web", signal="SIGSEGV"}`, "1x60")},
	"SlowFsync":                  {histogram("ply_fsync_seconds", "0.25", "0x60", "0.5", "0+9x60", "+Inf", "0+9x60"), histogram("ply_fsync_seconds", "0.25", "0+9x60", "0.5", "0+9x60", "+Inf", "0+9x60")},
	"CommitsTooSlow":             {histogram("ply_commit_seconds", "0.005", "0+90x60", "+Inf", "0+100x60"), histogram("ply_commit_seconds", "0.005", "0+9999x60", "+Inf", "0+10000x60")},
}

func one(series, values string) map[string]string { return map[string]string{series: values} }

// histogram is one with these values by bound.
func histogram(name string, values ...string) map[string]string {
	all := map[string]string{name + "_count{}": values[len(values)-1]}
	for i := 0; i < len(values); i += 2 {
		all[fmt.Sprintf("%s_bucket{le=%q}", name, values[i])] = values[i+1]
	}
	return all
}

func TestAlertsOfTheCookbook(t *testing.T) {
	tested := map[string]bool{}
	for _, rules := range rulesOf(t, "cookbook.md") {
		for _, match := range alertName.FindAllStringSubmatch(rules, -1) {
			name := match[1]
			a, ok := cookbookAlerts[name]
			if tested[name] = true; !ok {
				t.Errorf("no test for %s", name)
				continue
			}
			for fires, series := range map[bool]map[string]string{true: a.fires, false: a.silent} {
				if err := promtest.TestRules(t, rules, alertTestOf(name, series, fires)); err != nil {
					t.Errorf("%s, which fires: %t: %v", name, fires, err)
				}
			}
		}
	}
	for name := range cookbookAlerts {
		if !tested[name] {
			t.Errorf("the cookbook has no alert %s", name)
		}
	}
}

// alertTestOf is alertTest for several series.
func alertTestOf(alert string, series map[string]string, fires bool) string {
	var input []string
	for name, values := range series {
		input = append(input, fmt.Sprintf("{series: '%s', values: '%s'}", name, values))
	}
	slices.Sort(input)
	return strings.Replace(alertTest(alert, "SERIES", "VALUES", fires), "{series: 'SERIES', values: 'VALUES'}", strings.Join(input, ", "), 1)
}
