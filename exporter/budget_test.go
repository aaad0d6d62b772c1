package exporter

import (
	"strings"
	"testing"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

const threeScripts = "scripts: [{name: a, script: A}, {name: b, script: B}, {name: c, script: C}]\n"

func threeSizes() *fakeBackend {
	return &fakeBackend{scripts: map[string]string{
		"A": on(`@n[comm] = count();`), "B": on(`@n[comm] = count(); @q[comm] = quantize((u64)pid);`), "C": on(`@ = count();`),
	}}
}

// A script that does not fit beside those before it is refused, and those after it
// that do fit are not.
func TestMemoryBudget(t *testing.T) {
	cfg, err := config.Parse("c.yaml", []byte(threeScripts))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	var out strings.Builder
	err = Check(&out, cfg, threeSizes(), Limits{Memory: 2 << 20})
	const want = "c.yaml:1:40: script b needs 1.67 MiB of kernel memory, 895 KiB of the 2 MiB of --bpf.memory-budget are left: " +
		"lower max_entries (@n takes 1.11 MiB for 10,240 keys) or raise the budget"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	for _, line := range []string{"script a: 1 program", "script b: does not run here\n", "script c: 1 program", "at most 10,242 series, about 1.14 MiB of"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in\n%s", line, out.String())
		}
	}
	for _, enough := range []int{0, 3 << 20} {
		if err := Check(&out, cfg, threeSizes(), Limits{Memory: enough}); err != nil {
			t.Errorf("budget %d: %v", enough, err)
		}
	}
}

// A script without keys has nothing that could be lowered. Serving refuses it, too.
func TestServeWithinMemoryBudget(t *testing.T) {
	cfg, err := config.Parse("c.yaml", []byte(oneScriptYAML("")))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	opt := testOptions(&fakeBackend{scripts: map[string]string{"S": on(`@ = count();`)}}, freeAddress(t))
	opt.MemoryBudget = 8192
	const want = "script net needs 16 KiB of kernel memory, 8 KiB of the 8 KiB of --bpf.memory-budget are left: raise the budget"
	if err := Serve(t.Context(), cfg, opt); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
