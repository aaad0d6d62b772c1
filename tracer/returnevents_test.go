package tracer

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

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

// A probe that another process removes before it is in use is made again.
func TestRemovedReturnEvent(t *testing.T) {
	folder := t.TempDir()
	file := folder + "/kprobe_events"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	defer func(before []string) { tracefs = before }(tracefs)
	tracefs = []string{folder} // the probes made in it never are there
	if _, err := attachWithRoom(nil, object.Function{Symbol: "vfs_read", Callers: 100}, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("attached to nothing: %v", err)
	}
	text, err := os.ReadFile(file)
	if n := strings.Count(string(text), "r100:ply_"); n < 2 || err != nil {
		t.Errorf("made %d times (%v):\n%s", n, err, text)
	}
}

// Why tracefs refuses a probe is not that it is missing at the other place.
func TestRefusedReturnEvent(t *testing.T) {
	folder := t.TempDir()
	if err := os.Mkdir(folder+"/kprobe_events", 0o700); err != nil {
		t.Fatal(err)
	}
	defer func(before []string) { tracefs = before }(tracefs)
	tracefs = []string{folder, folder + "/none"}
	if _, err := attachWithRoom(nil, object.Function{Symbol: "vfs_read", Callers: 100}, 0); !errors.Is(err, unix.EISDIR) {
		t.Errorf("refused because of %v", err)
	}
}

// What has less room than was planned says so, and still tells what it misses.
func TestStatusWithoutRoom(t *testing.T) {
	p := program{Program: &object.Program{Attach: object.AttachKretprobe, Why: "room for 1000 callers at a time", Covers: []int{1}}}
	p.links = []io.Closer{withoutRoom{closers{}, "tracefs refuses it (read-only file system)"}}
	var s ProbeStatus
	p.addTo(&s, 0, true)
	want := "room for 1000 callers at a time; but not here, because tracefs refuses it (read-only file system): the returns of more than a few callers at a time are missed"
	other := program{Program: &object.Program{Attach: object.AttachKretprobe, Why: "room for 1000 callers at a time", Covers: []int{1}}}
	for range 2 {
		other.addTo(&s, 0, true)
	}
	if want += "; elsewhere room for 1000 callers at a time"; s.Why != want {
		t.Errorf("got  %s\nwant %s", s.Why, want)
	}
}
