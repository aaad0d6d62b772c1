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

// Numbers are the nearest to what the scale makes of the map's.
func TestScalesAreExact(t *testing.T) {
	for scale, of := range map[string]map[int64]string{
		"0.3":  {3: "0.9", 10: "3", 1 << 53: "2.7021597764222975e+15"},
		"1e-9": {1: "1e-09", 123456789: "0.123456789"},
		"512":  {3: "1536"},
		"1e99": {7: "7e+99"},
	} {
		for n, want := range of {
			c := run(t, &fakeBackend{
				scripts: map[string]string{"S": on(`@ = max((u64)pid);`)},
				tracers: map[string]*fakeTracer{"S": {rows: map[string][]pair{"@": {{nil, words(n)}}}}},
			}, oneScriptYAML(`{map: "@", scale: `+scale+`}`))
			if got := lastLine(scrape(t, c)); got != "ply_net "+want {
				t.Errorf("%d, scale %s: got %s, want %s", n, scale, got, want)
			}
		}
	}
}

// lastLine is the last of a text's lines.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
