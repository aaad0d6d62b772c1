package exporter

import (
	"testing"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// The help of an exact count says that it has what the kernel skipped, unless the
// user has written it.
func TestHelpOfExactCounts(t *testing.T) {
	for _, row := range []struct{ script, metrics, want string }{
		{on(`@ = count();`), ``, "count() of tracepoint:sched/sched_switch, script net; includes the events that the kernel skipped"},
		{on(`@[cpu] = count();`), ``, "count() of tracepoint:sched/sched_switch, script net"},
		{on(`@ = count();`), `{map: "@", help: Switches.}`, "Switches."},
	} {
		cfg, err := config.Parse("c.yaml", []byte(oneScriptYAML(row.metrics)))
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		scripts, fatal := compile(cfg, &fakeBackend{scripts: map[string]string{"S": row.script}})
		if fatal != nil {
			t.Fatal(fatal)
		}
		if got := scripts[0].compiled.metrics[0].help; got != row.want {
			t.Errorf("%s: help is %q, want %q", row.script, got, row.want)
		}
	}
}
