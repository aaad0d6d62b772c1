package exporter

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/configs"
	"ply-exporter/exporter/config"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

func runningKernel(t testing.TB) *kernel.Kernel {
	t.Helper()
	k, err := kernel.Running()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// What the configuration that runs by default exports on this kernel. Nothing
// is loaded: compiling reads the kernel's facts only.
func TestQuickstartMetrics(t *testing.T) {
	need.Root(t) // only root may read tracefs
	k := runningKernel(t)
	cfg, err := config.Parse("quickstart.yaml", configs.Quickstart)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	scripts, fatal := compile(cfg, NewBackend(k, slog.New(slog.DiscardHandler), false))
	if len(fatal) > 0 {
		t.Fatal(fatal.Detail())
	}
	var got []string
	for _, s := range scripts {
		if s.err != nil {
			t.Logf("script %s is not for this kernel: %s", s.conf.Name, plylang.Detail(s.err))
			continue
		}
		for _, m := range s.compiled.metrics.exported() {
			got = append(got, describeMetric(m))
			for _, problem := range lintMetric(m) {
				t.Errorf("%s: %s", m.name, problem)
			}
		}
		for _, w := range s.warnings {
			t.Error(w.Detail())
		}
	}
	for _, want := range []string{
		"ply_syscalls_total{syscall} counter",
		"ply_run_queue_latency_seconds{} histogram",
		"ply_processes_started_total{} counter",
		"ply_processes_executed_total{} counter",
		"ply_processes_exited_total{} counter",
		"ply_softirq_seconds_total{kind} counter",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s among\n%s", want, strings.Join(got, "\n"))
		}
	}
}

func describeMetric(m *metric) string {
	var names []string
	for _, l := range m.labels {
		names = append(names, l.name)
	}
	return m.name + "{" + strings.Join(names, ",") + "} " + typeName(m.typ)
}

// An error in a script that stands in a YAML file is shown at its line there.
func TestErrorInYAML(t *testing.T) {
	k := runningKernel(t)
	cfg, err := config.Parse("probes.yaml", []byte("scripts:\n  - name: a\n    script: |\n      BEGIN {\n        @ = cuont();\n      }\n"))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	_, fatal := compile(cfg, NewBackend(k, slog.New(slog.DiscardHandler), false))
	if len(fatal) != 1 || !strings.HasPrefix(fatal[0].Error(), "probes.yaml:5:13: ") || !strings.Contains(fatal[0].Msg, `"count"`) {
		t.Errorf("got %v", fatal.Detail())
	}
}
