package exporter

import (
	"strings"
	"testing"
)

// A histogram of elapsed is in seconds, and the calls of which it is not known when
// they began are counted beside the maps. Other scripts have no such number.
func TestElapsed(t *testing.T) {
	b := &fakeBackend{
		scripts: map[string]string{
			"A": `kretprobe:SyS_read / retval > 0 / { @latency = quantize(elapsed); }`,
			"B": `kretprobe:SyS_read { @ = count(); }`,
		},
		tracers: map[string]*fakeTracer{"A": {}, "B": {}},
	}
	got := scrapeAll(t, run(t, b, "scripts: [{name: read, script: A}, {name: other, script: B}]"))
	for _, line := range []string{
		`ply_read_latency_seconds_bucket{le="1"} 0`,
		`ply_map_dropped_total{map="elapsed",script="read"} 2`,
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no line %s in\n%s", line, got)
		}
	}
	if strings.Contains(got, `map="elapsed",script="other"`) {
		t.Errorf("a script without elapsed has lost beginnings:\n%s", got)
	}
}
