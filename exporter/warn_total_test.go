package exporter

import (
	"strings"
	"testing"

	"ply-exporter/exporter/config"
)

// The warning about a counter's name is one of those that serving logs too, and
// stands once in what check writes.
func TestWarningOfCounterWithoutTotal(t *testing.T) {
	b := &fakeBackend{scripts: map[string]string{"S": on(`@ = count();`)}}
	for name, want := range map[string]int{"my_calls": 1, "my_calls_total": 0} {
		cfg, err := config.Parse("probes.yaml", []byte(oneScriptYAML(`{map: "@", name: `+name+`}`)))
		if err != nil {
			t.Fatal(err)
		}
		scripts, _ := compile(cfg, b)
		if n := len(scripts[0].warnings); n != want || want > 0 && !strings.Contains(scripts[0].warnings[0].Msg, "counter my_calls has no _total") {
			t.Errorf("%s: warnings %v", name, scripts[0].warnings)
		}
		var out strings.Builder
		if err := Check(&out, cfg, b, Limits{}); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "warning:"); n != want {
			t.Errorf("%s: check warns %d times:\n%s", name, n, out.String())
		}
	}
}
