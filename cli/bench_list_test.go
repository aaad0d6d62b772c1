package cli

import (
	"os/exec"
	"testing"

	"ply-exporter/internal/need"
)

// BenchmarkList measures listing probes, whole process each: every tracepoint,
// every function, and every function with its parameters. The functions are
// those of the running kernel, which has none to list where it has no kprobes.
func BenchmarkList(b *testing.B) {
	need.Root(b)
	path := buildBinary(b)
	for _, row := range []struct {
		name string
		args []string
	}{
		{"tracepoints", []string{"list", "tracepoint:*"}},
		{"tracepoints with fields", []string{"list", "-v", "tracepoint:*"}},
		{"functions", []string{"list", "kprobe:*"}},
		{"functions with parameters", []string{"list", "-v", "kprobe:*"}},
	} {
		b.Run(row.name, func(b *testing.B) {
			for b.Loop() {
				if out, err := exec.CommandContext(b.Context(), path, row.args...).CombinedOutput(); err != nil {
					b.Fatalf("%v: %.300s", err, out)
				}
			}
		})
	}
}
