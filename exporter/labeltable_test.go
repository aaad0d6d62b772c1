package exporter

import (
	"strings"
	"testing"

	"ply-exporter/exporter/config"
)

// Keys of a label table are matched by value, however they are written.
func TestLabelTables(t *testing.T) {
	tests := []struct{ key, table, want string }{
		{"arg1", "{0x5401: TCGETS}", "21505: TCGETS"},
		{"(u64)arg1", "{0x5401: TCGETS, 0x800: b, 007: c, 010: d}", "21505: TCGETS, 2048: b, 7: c, 8: d"},
		{"(s32)arg1", "{-4: interrupted, -0x5: io}", "-4: interrupted, -5: io"},
		{"comm", "{007: bond, 0x1: hex}", "007: bond, 0x1: hex"},
		{"errno(retval)", "{EBADF: closed}", "EBADF: closed"},
		{"(u64)arg1", "{zero: a}", "key zero of a label table can never match: the values are numbers"},
		{"(u64)arg1", "{8: a, 0x8: b}", "key 8 of a label table can never match: it is 0x8 again"},
		{"(u64)arg1", "{18446744073709551616: a}", "key 18446744073709551616 of a label table can never match: the values do not have that number"},
		{"(u64)arg1", "{-1: a}", "key -1 of a label table can never match: the values do not have that number"},
		{"comm", "{averyveryverylongname: x}", "key averyveryverylongname of a label table can never match: the values have at most 16 bytes"},
		{"errno(retval)", "{-9: closed}", "key -9 of a label table can never match: the text of that value is EBADF"},
	}
	for _, tt := range tests {
		probe := "kprobe:SyS_ioctl"
		if strings.Contains(tt.key, "retval") {
			probe = "kretprobe:SyS_ioctl"
		}
		if got := tableText(t, probe+" { @["+tt.key+"] = count(); }", tt.table); got != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.key, tt.table, got, tt.want)
		}
	}
}

// tableText compiles a script with a label table for its only key, and returns
// the table by the texts it is asked for, or the error.
func tableText(t *testing.T, script, table string) string {
	t.Helper()
	b := &fakeBackend{scripts: map[string]string{"S": script}}
	cfg, err := config.Parse("probes.yaml", []byte(oneScriptYAML(`{map: "@", labels: [{name: x, map: `+table+`}]}`)))
	if err != nil {
		t.Fatal(err)
	}
	scripts, fatal := compile(cfg, b)
	if len(fatal) > 0 {
		return fatal[0].Msg
	}
	var rows []string
	given := cfg.Scripts[0].Metrics[0].Labels[0].Map
	names := scripts[0].compiled.metrics[0].labels[0].rules.Map
	for _, pair := range strings.Split(strings.Trim(table, "{}"), ", ") {
		key, _, _ := strings.Cut(pair, ":")
		for text, name := range names {
			if name == given[key] {
				rows = append(rows, text+": "+name)
			}
		}
	}
	return strings.Join(rows, ", ")
}

// A constant key has no label, but where it is given one.
func TestLabelsOfConstantKeys(t *testing.T) {
	for entry, want := range map[string]string{
		"":                                    `ply_net_total{comm="x"} 7`,
		`{map: "@", labels: [name]}`:          `ply_net_total{name="x"} 7`,
		`{map: "@", labels: [runtime, name]}`: `ply_net_total{name="x",runtime="docker"} 7`,
		`{map: "@", labels: [{map: {docker: a}}, name]}`: `ply_net_total{key="a",name="x"} 7`,
	} {
		c := run(t, &fakeBackend{
			scripts: map[string]string{"S": on(`@["docker", comm] = count();`)},
			tracers: map[string]*fakeTracer{"S": {rows: map[string][]pair{"@": {{append([]byte("docker\x00\x00"), chars("x")...), words(7)}}}}},
		}, oneScriptYAML(entry))
		if got := lastLine(scrape(t, c)); got != want {
			t.Errorf("%s: got %s, want %s", entry, got, want)
		}
	}
}
