package dashboards_test

import (
	"fmt"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/prometheus"

	"ply-exporter/internal/promtest"
)

// A script that waits for a program is not among those that are down; one that runs on
// without it is up.
func TestScriptsThatWaitAreNotDown(t *testing.T) {
	series := map[string]string{}
	for script, values := range map[string]struct{ up, waiting string }{
		"broken": {"0x60", "0x60"}, "kernel": {"0x60", ""}, "waits": {"0x60", "1x60"}, "left": {"1x60", "1x60"}, "runs": {"1x60", "0x60"},
	} {
		label := fmt.Sprintf(`{script=%q, job="j", instance="i"}`, script)
		series["ply_script_up"+label] = values.up
		series["ply_probe_attached"+label[:1]+`kind="uprobe", `+label[1:]] = "0x60"
		if values.waiting != "" {
			series["ply_script_waiting"+label] = values.waiting
		}
	}
	rules, tests := "groups:\n  - name: numbers\n    rules:\n", []promtest.AlertTest{}
	expect := func(query string) {
		name := fmt.Sprintf("Query%d", len(tests))
		rules += fmt.Sprintf("      - {alert: %s, expr: %q}\n", name, query)
		tests = append(tests, promtest.AlertTest{Alert: name, Series: series, Fires: true})
	}
	all := shipped(t)
	for _, file := range []string{"fleet.json", "profile.json"} {
		for _, p := range panelsOf(decode(t, file, all[file])) {
			query := func() string { return promql(p.Targets[0].(*prometheus.Dataquery).Expr) }
			switch *p.Title {
			case "Scripts down":
				expect(query() + " == 2")
			case "Scripts down by script":
				expect("count(" + query() + " == 1) == 2")
			case "Scripts down by instance":
				expect("sum(" + query() + ") == 2")
			case "Probes not attached": // of a script that runs and has its program
				expect(query() + " == 1")
			case "Scripts":
				expect(`count_values("state", ` + query() + `) == 2 and on (state) label_replace(vector(1), "state", "0", "", "")`)
				expect(`sum(` + query() + `) == 2 * 2 + 1`)
			}
		}
	}
	if len(tests) != 8 {
		t.Errorf("%d queries, want 8", len(tests))
	}
	if err := promtest.TestAlerts(t, rules, tests...); err != nil {
		t.Error(err)
	}
}
