// Package checked has tests of configurations do what the commands do: check, for
// recorded kernels and without one to load anything into, and any other.
package checked

import (
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

// Backend compiles for a recorded kernel.
func Backend(t testing.TB, release string) exporter.Unverified {
	t.Helper()
	k, err := kernel.Open(recorded.Files(release))
	if err != nil {
		t.Fatal(err)
	}
	return exporter.Unverified{KernelBackend: exporter.NewBackend(k, slog.New(slog.DiscardHandler), false)}
}

// Scripts returns what the command says of scripts.
func Scripts(b exporter.Backend, scripts ...*config.Script) (string, error) {
	var out strings.Builder
	err := exporter.Check(&out, &config.Config{Scripts: scripts}, b, exporter.Limits{})
	return out.String(), err
}

// Metrics returns what scripts export.
func Metrics(b exporter.Backend, scripts ...*config.Script) (metrics []exporter.MetricInfo, err error) {
	described, err := exporter.Describe(&config.Config{Scripts: scripts}, b)
	for _, s := range described {
		metrics = append(metrics, s.Metrics...)
	}
	return metrics, err
}

// bounded is the warning of each kretprobe on kernels before 6.7, whatever the
// script does.
var bounded = regexp.MustCompile(`warning: (\S+: )?returns are missed when more callers are inside the function`)

// Warns says whether there is a warning about the script in what the command says.
func Warns(said string) bool {
	return strings.Contains(bounded.ReplaceAllString(said, ""), "warning:")
}

// Detail is an error as a user sees it, empty if there is none.
func Detail(err error) string {
	if err == nil {
		return ""
	}
	return plylang.Detail(err)
}
