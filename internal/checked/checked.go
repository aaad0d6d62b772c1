// Package checked has tests check configurations as the command check does, for
// recorded kernels and without one to load anything into.
package checked

import (
	"log/slog"
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

// Detail is an error as a user sees it, empty if there is none.
func Detail(err error) string {
	if err == nil {
		return ""
	}
	return plylang.Detail(err)
}
