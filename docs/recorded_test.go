package docs

import (
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/checked"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

// The scripts of the pages for users of other tracers compile for every recorded
// kernel: what somebody tries first must not depend on the machine.
func TestExamplesCompileForRecordedKernels(t *testing.T) {
	all := append(examplesOf("from-bpftrace.md", fromBpftrace), examplesOf("from-ply.md", fromPly)...)
	if len(all) < 30 {
		t.Errorf("only %d examples were found", len(all))
	}
	for _, name := range recorded.Names() {
		k, err := kernel.Open(recorded.Files(name))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if e.note != "kprobes" || k.Has(kernel.Kprobe) {
				compileExample(t, name, k, e)
			}
		}
	}
}

func compileExample(t *testing.T, name string, k *kernel.Kernel, e example) {
	t.Helper()
	obj, err := bpfgen.Build(&plylang.Source{Text: e.script}, k, bpfgen.Options{}, nil)
	if err != nil {
		t.Errorf("%s: %s: %s", e.at, name, plylang.Detail(err))
		return
	}
	for _, w := range obj.Warnings {
		if checked.Warns("warning: " + w.Error()) {
			t.Errorf("%s: %s: %v", e.at, name, w)
		}
	}
}
