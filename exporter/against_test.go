package exporter

import (
	"strings"
	"testing"

	"ply-exporter/plylang"
)

func TestAgainst(t *testing.T) {
	old := "scripts:\n" + countA + countB + countC + "  - name: gone\n    script: tracepoint:sched/sched_nothing { @ = count(); }\n"
	for _, row := range []struct{ name, yaml, want string }{
		{"the same", "# moved\n" + old, "4 scripts without a change\n"},
		{"a metric", "scripts:\n" + countA + "    metrics: [{map: '@', name: x_total, labels: [{name: program, regexp: '(a).*'}]}]\n" + countB + countC,
			`script a goes on
        ply_a_total{comm} counter becomes x_total{program} counter, program is renamed by "(a).*"
    2 scripts without a change
`},
		{"a script", "scripts:\n" + countA + countB2 + "  - name: more\n    script: tracepoint:sched/sched_switch { @ = quantize(pid); @x = count(); }\n",
			`script b begins again at 0
    script more starts
    script c ends, and with it ply_c_total
    1 script without a change
`},
		{"one that cannot run", "scripts:\n  - name: a\n    script: tracepoint:sched/sched_nothing { @ = count(); }\n",
			`script a would not run here, so that nothing is reloaded: probes.yaml:3:13: this kernel has no tracepoint`},
		{"limits", "scripts:\n" + countA + "    sample: 1/16\n    metrics: [{map: '@', top: 5, max_entries: 100, overflow: drop, expire: 10m}]\n" + countB + countC,
			`script a begins again at 0
        it looked at all events, and looks at one event in 16, which stands for all
        ply_a_total{comm} counter becomes ply_a_total{comm} counter, max_entries: 100, overflow: drop, expire: 10m, top: 5
    2 scripts without a change
`},
		{"not exported", "scripts:\n" + countA + "    metrics: [{map: '@', export: false}]\n" + countB + countC,
			"script a goes on\n        ply_a_total{comm} counter is not exported any more\n"},
	} {
		var out strings.Builder
		if err := Against(&out, parsed(t, old), parsed(t, row.yaml), compiler()); err != nil {
			t.Errorf("%s: %s", row.name, plylang.Detail(err))
		}
		if got := strings.TrimPrefix(out.String(), "    "); !strings.HasPrefix(got, row.want) {
			t.Errorf("%s:\n%s\nwant\n%s", row.name, got, row.want)
		}
	}
}
