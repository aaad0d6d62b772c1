package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"ply-exporter/configs"
)

// The shipped configurations are in the binary, each with a sentence about it.
func TestShippedConfigurations(t *testing.T) {
	r := ply(t, "config", "list")
	for line := range strings.Lines(r.stdout) {
		name, about, _ := strings.Cut(strings.TrimSpace(line), " ")
		if len(strings.Fields(about)) < 3 {
			t.Errorf("%q: it begins with no sentence", line)
		}
		if shown := ply(t, "config", "show", name); shown.status != 0 || !strings.Contains(shown.stdout, "\nscripts:\n") {
			t.Errorf("%s: %+v", name, shown)
		}
	}
	if r.status != 0 || !strings.Contains(r.stdout, "\nquickstart ") && !strings.HasPrefix(r.stdout, "quickstart ") {
		t.Errorf("%+v", r)
	}
	if r := ply(t, "config", "show", "quickstart.yaml"); r.stdout != string(configs.Quickstart) || r.status != 0 {
		t.Errorf("%+v", r)
	}
	want := "ply-exporter: no configuration \"quickstrat\" comes with the exporter; did you mean \"quickstart\"?\n"
	if r := ply(t, "config", "show", "quickstrat"); r.status != 1 || r.stderr != want {
		t.Errorf("%+v, want %q", r, want)
	}
}

// Both schemas are printed whole: they refer to nothing outside of them.
func TestPrintedSchemas(t *testing.T) {
	for _, args := range [][]string{{}, {"config"}, {"test"}} {
		r := ply(t, append([]string{"config", "schema"}, args...)...)
		if r.status != 0 || !json.Valid([]byte(r.stdout)) || strings.Contains(r.stdout, `.json#/`) {
			t.Errorf("%q: %+v", args, r)
		}
	}
	if r := ply(t, "config", "schema", "tests"); r.status != 2 {
		t.Errorf("%+v", r)
	}
}
