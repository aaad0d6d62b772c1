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
