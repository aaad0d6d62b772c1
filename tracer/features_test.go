package tracer

import (
	"testing"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/need"
)

// Every feature is found out by trying, and what is found agrees with what
// the kernel's age allows.
func TestDetect(t *testing.T) {
	need.EachArch(t)
	need.BPF(t)
	k := runningKernel(t)
	for _, row := range kernel.Features {
		try, ok := trials[row.Feature]
		if !ok {
			t.Errorf("%s is never tried", row.Feature)
			continue
		}
		known, has := answer(try(k))
		t.Logf("%-24s known %-5t has %t", row.Feature, known, has)
		if !known {
			t.Errorf("%s: root cannot find out", row.Feature)
		}
		if has != k.Has(row.Feature) {
			t.Errorf("%s: the kernel's answer is %t", row.Feature, k.Has(row.Feature))
		}
		if has && !k.AtLeast(row.Since[0], row.Since[1]) {
			t.Errorf("%s is there, on a kernel before %v", row.Feature, row.Since)
		}
	}
	if k.Has(kernel.Kprobe) != need.HasKprobes() || k.Has(kernel.KprobeMulti) != need.HasKprobeMulti() {
		t.Error("kprobes are not found out")
	}
}
