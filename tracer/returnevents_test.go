package tracer

import (
	"os"
	"strings"
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// What a killed process leaves in tracefs is removed; a probe in use and those of
// others are not.
func TestLeftEvents(t *testing.T) {
	need.Kprobes(t)
	const events = "/sys/kernel/tracing/kprobe_events"
	b := newObject("")
	m := b.addMap(cellMap())
	b.program(object.AttachKretprobe, "vfs_read", points(object.Function{Symbol: "vfs_read", Callers: 100}), cellAdd(m))
	start(t, b.build(), testOptions(t))
	const left, foreign = "ply_00000000000000aa/left", "ply_tools/foreign"
	for _, name := range []string{left, foreign} {
		if err := tellTracefs(events, "r10:"+name+" vfs_write"); err != nil {
			t.Fatal(err)
		}
	}
	defer removeEvents(events, []string{foreign})
	found, err := ourEvents(events)
	if err != nil || len(found) != 2 {
		t.Errorf("found %v (%v), want one in use and one left", found, err)
	}
	removeEvents(events, found)
	text, err := os.ReadFile(events)
	if err != nil || strings.Contains(string(text), left) || !strings.Contains(string(text), foreign) || !strings.Contains(string(text), "r100:ply_") {
		t.Errorf("there are now (%v)\n%s", err, text)
	}
}
