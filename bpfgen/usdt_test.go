package bpfgen_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/internal/need"
)

// Debian's Python declares probes, with semaphores: it runs into them only while
// somebody waits there.
func TestUSDT(t *testing.T) {
	python, err := filepath.EvalSymlinks(need.Command(t, "/usr/bin/python3"))
	if err != nil {
		t.Fatal(err)
	}
	const work = `
import gc
gc.disable()
for _ in range(1000):
    gc.collect(1)
import colorsys
`
	k := running(t)
	for _, plain := range []bool{false, true} {
		for _, row := range []struct{ name, script, want string }{
			{"a number", `usdt:PYTHON:python:gc__start / ppid == PID && arg0 == 1 / { @[arg0] = count(); }`, "@[1] 1000"},
			{"a probe of any provider", `usdt:PYTHON:gc__start / ppid == PID && arg0 == 1 / { @ = count(); }`, "@ 1000"},
			{"a text", `usdt:PYTHON:python:import__find__load__start / ppid == PID && str(arg0) == "colorsys" / { @ = count(); }`, "@ 1"},
			{"a glob", `usdt:PYTHON:py*:gc__@(start|never) / ppid == PID && arg0 == 1 / { @ = count(); }`, "@ 1000"},
			{"two clauses", `usdt:PYTHON:gc__start / ppid == PID && arg0 == 1 / { @a = count(); } usdt:PYTHON:gc__start / ppid == PID && arg0 == 1 / { @b = sum(arg0); }`, "@a 1000\n@b 1000"},
		} {
			t.Run(row.name, func(t *testing.T) {
				script := strings.ReplaceAll(row.script, "PYTHON", python)
				got := trace(t, k, here(t, script), bpfgen.Options{PlainAttach: plain}, func() {
					if out, err := exec.Command(python, "-I", "-c", work).CombinedOutput(); err != nil {
						t.Fatalf("%v\n%s", err, out)
					}
				})
				if got != row.want {
					t.Errorf("got %q, want %q", got, row.want)
				}
			})
		}
	}
}
