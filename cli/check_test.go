package cli

import (
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

// What a configuration costs on a machine with more CPUs than this one.
func TestCheckForCPUs(t *testing.T) {
	need.BPF(t)
	config := writeFile(t, "probes.yaml", `scripts: [{name: a, script: "BEGIN { @[pid] = max(tid); }"}]`)
	r := ply(t, "check", "--cpus", "256", "--config", config)
	if r.status != 0 || !strings.Contains(r.stdout, "about 20.9 MiB of kernel memory") || !strings.Contains(r.stdout, "each of 256 CPUs") {
		t.Errorf("%+v", r)
	}
	for _, cpus := range []string{"-1", "8193"} {
		r := ply(t, "check", "--cpus="+cpus, "--config", config)
		if want := "ply-exporter: --cpus " + cpus + ": give 1 to 8192, the CPUs that the machine can have\n"; r.status != 1 || r.stderr != want {
			t.Errorf("%+v, want %q", r, want)
		}
	}
}

// A bound that serve refuses is no use to check either.
func TestCheckOfNegativeBound(t *testing.T) {
	r := ply(t, "check", "--no-kernel", "--metrics.max-series", "-1")
	if want := "ply-exporter: --metrics.max-series -1 is below 0: 0 is no bound\n"; r.status != 1 || r.stderr != want {
		t.Errorf("%+v, want %q", r, want)
	}
}

// A budget is written with or without a unit.
func TestMemoryBudgetFlag(t *testing.T) {
	need.BPF(t)
	config := writeFile(t, "probes.yaml", `scripts: [{name: a, script: "BEGIN { @[pid] = count(); }"}]`)
	for _, row := range []struct{ size, want string }{
		{"1MB", "977 KiB of the 977 KiB of --bpf.memory-budget are left"},
		{"1MiB", "1 MiB of the 1 MiB of --bpf.memory-budget are left"},
		{"4096", "4 KiB of the 4 KiB of --bpf.memory-budget are left"},
		{"much", `"much" is not a size: give one such as 64MiB`},
		{"-1", `"-1" is not a size: give one such as 64MiB`},
	} {
		r := ply(t, "check", "--bpf.memory-budget="+row.size, "--config", config)
		if r.status == 0 || !strings.Contains(r.stderr, row.want) {
			t.Errorf("%s: %+v, want %q", row.size, r, row.want)
		}
	}
	if r := ply(t, "check", "--bpf.memory-budget=0", "--config", config); r.status != 0 {
		t.Errorf("no bound: %+v", r)
	}
}
