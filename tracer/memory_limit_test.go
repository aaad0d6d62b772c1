package tracer

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

// The map is named for which the kernel has no memory, at its place in the script.
func TestOutOfMemory(t *testing.T) {
	k, err := kernel.Open(recorded.Files("6.18-amd64"))
	if err != nil {
		t.Fatal(err)
	}
	src := &plylang.Source{Text: "tracepoint:sched/sched_switch { @a = count(); @b[pid] = quantize(cpu); }"}
	obj, err := bpfgen.Build(src, k, bpfgen.Options{}, nil)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	err = loadError(obj, fmt.Errorf("map %s: map create: %w", obj.Maps[1].SpecName, unix.ENOMEM))
	if text := plylang.Detail(err); !strings.Contains(text, "1:47: the kernel has no memory for @b, which takes 2 MiB: lower max_entries") || !strings.Contains(text, "^") {
		t.Error(text)
	}
	if !errors.Is(err, plylang.ErrMissing) {
		t.Error("it is taken for a mistake in the script")
	}
	if err := loadError(obj, fmt.Errorf("program p0: %w", unix.ENOMEM)); !errors.Is(err, unix.ENOMEM) {
		t.Error(err)
	}
}
