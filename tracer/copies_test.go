package tracer

import (
	"strings"
	"sync/atomic"
	"testing"

	"ply-exporter/bpfgen/object"
)

// A text without a key that all CPUs store to is never read torn: not by the
// programs, and not from here.
func TestTextIsWhole(t *testing.T) {
	const events = 1 << 20
	a, b := strings.Repeat("a", 120), strings.Repeat("b", 120)
	script := `tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ {
		$text = data->args[0] % 2 == 0 ? "` + a + `" : "` + b + `";
		@[$text] = count();
	}`
	tr := start(t, compile(t, script), testOptions(t))
	names := map[string]bool{a: true, b: true}
	var stop atomic.Bool
	done := make(chan bool)
	go func() { readTexts(t, tr, names, &stop); close(done) }()
	workload(t, events)
	stop.Store(true)
	<-done
	rows, err := tr.Rows(tr.obj.Maps[1])
	if err != nil {
		t.Fatal(err)
	}
	total := uint64(0)
	for _, r := range rows {
		text := strings.TrimRight(string(r.Key), "\x00")
		if n := object.Word(r.Value, 0); names[text] {
			total += n
		} else {
			t.Errorf("%d events are counted for %q", n, text)
		}
	}
	if total != events {
		t.Errorf("%d events are counted, want %d", total, events)
	}
}

// readTexts reads the text again and again.
func readTexts(t *testing.T, tr *Tracer, names map[string]bool, stop *atomic.Bool) {
	for !stop.Load() {
		rows, err := tr.Rows(tr.obj.Maps[0])
		if err != nil {
			t.Error(err)
			return
		}
		for _, r := range rows {
			if text := strings.TrimRight(string(r.Value), "\x00"); !names[text] {
				t.Errorf("the text is %q", text)
				return
			}
		}
	}
}
