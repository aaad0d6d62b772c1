package schema

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"

	"ply-exporter/internal/promtest"
)

var update = flag.Bool("update", false, "write prometheusrule.yaml anew")

// quickstart is not in the cluster.
const quickstart = "quickstart.yaml"

const ruleHead = `# Generated of dashboards/alerts, but for those of the quickstart:
#
#     go test -C internal/schema -run PrometheusRule -update .
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: ply-exporter
  namespace: ply-exporter
  labels: {app.kubernetes.io/name: ply-exporter}
spec:
  groups:
`

// prometheusRule is the manifest with the alerts. Rule files and manifests have the
// same groups; the text of the files is indented, so that their comments stay.
func prometheusRule(t *testing.T) []byte {
	t.Helper()
	files, err := filepath.Glob("../../dashboards/alerts/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no alerts: %v", err)
	}
	out := []byte(ruleHead)
	for _, file := range files {
		if filepath.Base(file) == quickstart {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, groups, found := bytes.Cut(text, []byte("\ngroups:\n"))
		if !found {
			t.Fatalf("%s has no groups", file)
		}
		for line := range bytes.Lines(groups) {
			if len(bytes.TrimSpace(line)) > 0 {
				out = append(out, "  "...)
			}
			out = append(out, line...)
		}
	}
	return out
}

// The manifest has the alerts of dashboards/alerts, and Prometheus takes its groups.
func TestPrometheusRule(t *testing.T) {
	const file = operator + "/prometheusrule.yaml"
	want := prometheusRule(t)
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil { //nolint:gosec // a source file
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what -update makes of dashboards/alerts (%v)", file, err)
	}
	rules := build(t, operator).rules
	text, err := yaml.Marshal(struct {
		Groups []monitoringv1.RuleGroup `json:"groups"`
	}{rules.Spec.Groups})
	if err != nil {
		t.Fatal(err)
	}
	if len(rules.Spec.Groups) < 10 {
		t.Errorf("only %d groups", len(rules.Spec.Groups))
	}
	if err := promtest.CheckRules(t, string(text)); err != nil {
		t.Error(err)
	}
}
