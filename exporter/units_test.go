package exporter

import (
	"strings"
	"testing"
)

// Points in time are exported in seconds, times of day as timestamps.
func TestUnitsOfTimes(t *testing.T) {
	tests := []struct{ script, entry, want string }{
		{`@last = max(walltime);`, "", "ply_net_last_timestamp_seconds 1.7e+09"},
		{`@first = min(time);`, "", "ply_net_first_seconds 1.7e+09"},
		{`@first = min(nsecs);`, `{map: "@first", unit: seconds}`, "ply_net_first_seconds 1.7e+09"},
		{`@seen[cpu] = walltime;`, `{map: "@seen", export: true}`, `ply_net_seen_timestamp_seconds{cpu="0"} 1.7e+09`},
		{`@last = max(walltime - 1s);`, "", "ply_net_last_timestamp_seconds 1.7e+09"},
	}
	for _, tt := range tests {
		value, key := int64(1700000000e9), []byte(nil)
		if strings.Contains(tt.script, "min") {
			value = ^value // as the map has it
		}
		if strings.Contains(tt.script, "[cpu]") {
			key = words(0)
		}
		b := &fakeBackend{scripts: map[string]string{"S": on(tt.script)}, tracers: map[string]*fakeTracer{"S": {}}}
		c := run(t, b, oneScriptYAML(tt.entry))
		name := c.scripts[0].running.object.Maps[0].Name
		b.tracers["S"].rows = map[string][]pair{name: {{key, words(value)}}}
		if got := lastLine(scrape(t, c)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.script, got, tt.want)
		}
	}
}

// lastLine is the last of a text's lines.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
