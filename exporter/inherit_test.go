package exporter

import (
	"strings"
	"testing"

	"ply-exporter/plylang"
)

// Of which maps series may be of several keys, so that they fall when one expires unseen.
func TestJoinedMaps(t *testing.T) {
	for _, row := range []struct {
		key, metric string
		want        bool
	}{
		{"comm, pid", "type: counter", false},
		{"comm, pid", "type: counter, labels: [a, {drop: true}]", false},
		{"comm, pid", "type: counter, labels: [a, {name: b, map: {1: one}}]", true},
		{"comm, pid", "type: gauge, labels: [a, {name: b, map: {1: one}}]", false},
		{"comm, pid", "type: counter, labels: [{name: a, regexp: '(.*)/.*'}, b]", true},
		{"pid, syscall(pid)", "type: counter", true},
	} {
		in := reloading(t, &reloadBackend{}, "scripts:\n  - name: s\n    script: tracepoint:sched/sched_switch { @x["+row.key+"] = count(); }\n"+
			"    metrics: [{map: '@x', expire: 10m, "+row.metric+"}]\n")
		if got := len(in.collector.scripts[0].compiled.pinName().Joined) > 0; got != row.want {
			t.Errorf("%s, %s: %t, want %t", row.key, row.metric, got, row.want)
		}
	}
}

// A series never goes on with the counts of something else: a script that would have
// it do so begins again.
func TestReloadTakesNoCountsOfOthers(t *testing.T) {
	const script = "scripts:\n  - name: s\n    script: tracepoint:sched/sched_switch { @x[comm, pid] = sum((u64)pid); @y = count(); }\n"
	named := func(x, y string) string {
		return script + "    metrics: [{map: '@x', " + x + "}, {map: '@y', " + y + "}]\n"
	}
	plain := named("name: x_total", "name: y_total")
	const scaled = "scripts:\n  - name: s\n    script: tracepoint:sched/sched_switch { @[comm] = sum((u64)pid); }\n    metrics: [{map: '@', name: x_total, "
	const native = "scripts:\n  - name: s\n    script: tracepoint:sched/sched_switch { @ = quantize(pid, 4); }\n    metrics: [{map: '@', native: "
	for _, row := range []struct {
		name, before, after string
		kept                int
	}{
		{"other names", plain, named("name: z_total", "name: w_total"), 1},
		{"a help text", plain, named("name: x_total", "name: y_total, help: Y."), 1},
		{"labels of another name", plain, named("name: x_total, labels: [a, b]", "name: y_total"), 1},
		{"names written out", plain, named("name: x_total, labels: [comm, pid]", "name: y_total"), 1},
		{"another help text of the largest", named("name: x_total, top: 2", "name: y_total"), named("name: x_total, top: 2, help: X.", "name: y_total"), 1},
		{"the largest of all", plain, named("name: x_total, top: 2", "name: y_total"), 0},
		{"all instead of the largest", named("name: x_total, top: 2", "name: y_total"), plain, 0},
		{"more of the largest", named("name: x_total, top: 2", "name: y_total"), named("name: x_total, top: 3", "name: y_total"), 0},
		{"a table under another name", plain, named("name: z_total, labels: [comm, {name: pid, map: {1: init}}]", "name: y_total"), 1},
		{"not exported any more", plain, named("name: x_total", "export: false"), 1},
		{"exported now", named("name: x_total", "export: false"), plain, 1},
		{"names of other labels swapped", plain, named("name: y_total", "name: x_total"), 1},
		{"the name of another map", named("export: false", "name: y_total"), named("name: y_total, labels: [a, b]", "export: false"), 1},
		{"labels swapped", plain, named("name: x_total, labels: [pid, comm]", "name: y_total"), 0},
		{"a table", plain, named("name: x_total, labels: [comm, {name: pid, map: {1: init}}]", "name: y_total"), 0},
		{"an expression", plain, named("name: x_total, labels: [{name: comm, regexp: '(.*)/.*'}, pid]", "name: y_total"), 0},
		{"a scale", scaled + "scale: 10}]\n", scaled + "scale: 100}]\n", 0},
		{"another help text of native buckets", native + "{max_buckets: 20}, help: X.}]\n", native + "{max_buckets: 20}}]\n", 1},
		{"more native buckets", native + "{max_buckets: 20}}]\n", native + "{max_buckets: 40}}]\n", 0},
		{"scripts swapped", "scripts:\n" + countA + countC, "scripts:\n" +
			strings.Replace(countA, "name: a", "name: c", 1) + strings.Replace(countC, "name: c", "name: a", 1), 0},
		{"names of scripts swapped", "scripts:\n" + countA + "    metrics: [{map: '@', name: a_total}]\n" + countB + "    metrics: [{map: '@', name: b_total}]\n",
			"scripts:\n" + countA + "    metrics: [{map: '@', name: b_total}]\n" + countB + "    metrics: [{map: '@', name: a_total}]\n", 0},
	} {
		in := reloading(t, &reloadBackend{}, row.before)
		c, err := in.change(parsed(t, row.after))
		if err != nil {
			t.Fatalf("%s: %s", row.name, plylang.Detail(err))
		}
		if c.kept != row.kept {
			t.Errorf("%s: kept %d, want %d", row.name, c.kept, row.kept)
		}
		var text strings.Builder
		if err := Against(&text, parsed(t, row.before), parsed(t, row.after), &reloadBackend{}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text.String(), "begins again at 0") != (row.kept == 0) {
			t.Errorf("%s: %s", row.name, &text)
		}
	}
}
