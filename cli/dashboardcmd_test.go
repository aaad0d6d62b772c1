package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// somewhere is a kernel that has what the scripts of these tests name, but no kprobes.
var somewhere = []string{"dashboard", "--kernel", "../internal/recorded/6.18-amd64.zip"}

func dashboardOf(t *testing.T, config string, args ...string) result {
	t.Helper()
	return ply(t, append(append(somewhere[:len(somewhere):len(somewhere)], "--config", writeFile(t, "probes.yaml", config)), args...)...)
}

// The dashboard is written to standard output or to a file, and is the same each time.
func TestDashboardCommand(t *testing.T) {
	const config = `scripts: [{name: a, help: "What it is.", script: "BEGIN { @[pid] = max(tid); @c = count(); }"}]`
	r := dashboardOf(t, config)
	if r.status != 0 || !strings.Contains(r.stdout, `"title": "ply-exporter probes"`) || !strings.Contains(r.stdout, `"title": "a: What it is"`) {
		t.Errorf("%+v", r)
	}
	file := filepath.Join(t.TempDir(), "x.json")
	if r := dashboardOf(t, config, "-o", file, "--title", "Mine"); r.status != 0 || r.stdout != "" {
		t.Errorf("%+v", r)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if again := dashboardOf(t, config, "-o", "-", "--title", "Mine"); again.stdout != string(text) || !strings.Contains(again.stdout, `"uid": "mine"`) {
		t.Errorf("the second time it is another:\n%s", again.stdout)
	}
	if r := dashboardOf(t, config, "-o", "/nowhere/x.json"); r.status != 1 || !strings.Contains(r.stderr, "/nowhere/x.json: no such file") {
		t.Errorf("%+v", r)
	}
}

// What this kernel lacks is described by what is written.
func TestDashboardOfWhatTheKernelLacks(t *testing.T) {
	r := dashboardOf(t, `
scripts:
  - name: a
    script: |
      kprobe:nowhere_to_be_found { @calls[comm] = count(); @time = quantize(arg0); }
    metrics: [{map: "@time", name: ply_a_seconds}]
`)
	for _, want := range []string{"sum by (comm) (rate(ply_a_calls_total{", "rate(ply_a_seconds_bucket{"} {
		if r.status != 0 || !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in %+v", want, r)
		}
	}
	r = dashboardOf(t, `scripts: [{name: a, script: "kprobe:nowhere_to_be_found { @time = sum(arg0); }"}]`)
	for _, want := range []string{"probes.yaml:1:", "the unit of @time, and so its name, is not known here", "--kernel FILE", "^"} {
		if r.status != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("no %q in %+v", want, r)
		}
	}
}

// Mistakes are told as everywhere, with the place.
func TestDashboardOfBadConfigurations(t *testing.T) {
	for config, want := range map[string]string{
		`scripts: []`: "probes.yaml:1:10: scripts is empty",
		``:            `a configuration needs at least "scripts:"`,
		`scripts: [{name: a, script: "BEGIN { @ = cuont(); }"}]`:                                     `did you mean "count"?`,
		`scripts: [{name: a, script: "BEGIN { @ = count(); }", metrics: [{map: "@", name: "a-b"}]}]`: `metric name "a-b"`,
	} {
		if r := dashboardOf(t, config); r.status != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: %+v", config, r)
		}
	}
}

// Many scripts have closed rows, and names with marks of Grafana are shown as they are.
func TestDashboardOfManyScripts(t *testing.T) {
	config := "scripts:\n"
	for i := range 300 {
		config += fmt.Sprintf("  - {name: s%d, help: \"$job and [[job]]\", script: \"BEGIN { @[pid] = count(); }\"}\n", i)
	}
	r := dashboardOf(t, config)
	if r.status != 0 || strings.Count(r.stdout, `"collapsed": true`) != 300 || strings.Contains(r.stdout, "$job and") {
		t.Errorf("status %d, %s, %d closed rows", r.status, r.stderr, strings.Count(r.stdout, `"collapsed": true`))
	}
}
