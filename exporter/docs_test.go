package exporter

import (
	"os"
	"strings"
	"testing"
)

// Every metric of the exporter's own is in the documentation, with its labels.
func TestOwnMetricsInTheDocumentation(t *testing.T) {
	doc, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "## The exporter's own metrics")
	table, _, _ = strings.Cut(table, "\n## ")
	for _, m := range selfMetrics {
		if !strings.Contains(table, "`"+m.name) {
			t.Errorf("docs/configuration.md does not tell of %s", m.name)
		}
		row := rowOf(table, m.name)
		for _, label := range m.labels {
			if !strings.Contains(row, label) {
				t.Errorf("docs/configuration.md does not tell of the label %s of %s: %s", label, m.name, row)
			}
		}
	}
}

// rowOf is the line of a table that has the name.
func rowOf(table, name string) string {
	for line := range strings.Lines(table) {
		if strings.Contains(line, "`"+name) {
			return line
		}
	}
	return ""
}
