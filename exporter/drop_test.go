package exporter

import (
	"slices"
	"strings"
	"testing"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// compileOne compiles a script whose metrics the configuration describes.
func compileOne(t *testing.T, body, metrics string, was map[string]*running) (*script, error) {
	t.Helper()
	cfg, err := config.Parse("c.yaml", []byte(oneScriptYAML(metrics)))
	if err != nil {
		return nil, err
	}
	scripts, errs := recompile(cfg, &fakeBackend{scripts: map[string]string{"S": on(body)}}, was)
	if len(errs) > 0 {
		return nil, errs
	}
	return scripts[0], nil
}

// What is dropped is no part of the key that is compiled: the others keep their
// labels, and few values of what is left need no hash.
func TestDroppedParts(t *testing.T) {
	for _, row := range []struct {
		body, labels string
		keySize      int
		want         string
		entries      int
	}{
		{"@[comm, pid] = count();", "[{drop: true}, pid]", 8, "pid", 10240},
		{"@[comm, pid] = count();", "[program, {name: pid, drop: true}]", 16, "program", 10240},
		{"@[comm, pid] = count();", "[program, {drop: false}]", 24, "program pid", 10240},
		{"@[pid, cpu] = sum((u64)pid); @[tid, cpu] = sum((u64)pid);", "[{drop: true}, cpu]", 8, "cpu", 2},
		{"@[pid, 7, comm] = quantize((u64)pid);", "[{drop: true}, program]", 24, "program", 1024},
		{"@[pid, 7, comm] = quantize((u64)pid);", "[{drop: true}, {drop: true}, program]", 16, "program", 1024},
		{"if (pid > 2) { @[pid, comm] = avg((u64)pid); } else { @[0, comm] = avg((u64)2); }", "[{drop: true}, program]", 16, "program", 10240},
	} {
		s, err := compileOne(t, row.body, `{map: "@", labels: `+row.labels+`}`, nil)
		if err != nil {
			t.Errorf("%s: %s", row.body, plylang.Detail(err))
			continue
		}
		m := s.compiled.object.Maps[0]
		var labels []string
		for _, l := range s.compiled.metrics[0].labels {
			labels = append(labels, l.name)
		}
		if got := strings.Join(labels, " "); m.KeySize != row.keySize || got != row.want || m.MaxEntries != row.entries {
			t.Errorf("%s, labels: %s: %d bytes of key, %d entries, labels %s; want %d, %d, %s", row.body, row.labels, m.KeySize, m.MaxEntries, got, row.keySize, row.entries, row.want)
		}
	}
}

func TestWrongDrops(t *testing.T) {
	const body = "t[pid, tid] = 5; @d[pid, tid] = count(); delete @d[1, 2]; @e[pid] = count(); @f[pid, tid] = count();"
	for metric, want := range map[string]string{
		`{map: t, export: true, labels: [pid, {drop: true}]}`: "c.yaml:1:81: t is a table, whose values cannot be added up: only keys of aggregations can have a part dropped",
		`{map: "@d", labels: [{drop: true}, b]}`:              "no part of @d can be dropped: the script deletes single keys of it, which would not be the same ones",
		`{map: "@e", labels: [{drop: true}]}`:                 "nothing is left of the key of @e: write it without a key in the script",
		`{map: "@f", labels: [{drop: true}, {drop: true}]}`:   "nothing is left of the key of @f",
		`{map: "@f", labels: [{drop: true}]}`:                 "1 label for 2 keys of @f",
		`{map: "@f", labels: [a, {drop: true, map: {1: x}}]}`: `a label with "drop: true" has no values: only its name can be said besides`,
		`{map: "@f", labels: [a, {drop: true, keep: true}]}`:  `a label with "keep: true" needs "regexp:"`,
		`{map: "@f", labels: [a, {drp: true}]}`:               `a label has no key "drp"; did you mean "drop"?`,
		`{map: "@f", labels: [a, {drop: 1}]}`:                 "drop must be true or false, not a number",
		`{map: "@f", labels: [a, {name: a, drop: false}]}`:    `label "a" is given twice`,
	} {
		_, err := compileOne(t, body, metric, nil)
		if err == nil || !strings.Contains(plylang.Detail(err), want) || !strings.Contains(plylang.Detail(err), "^") {
			t.Errorf("%s: got %v", metric, err)
		}
	}
	if _, err := compileOne(t, body, `{map: "@f", labels: [a, {name: a, drop: true}]}`, nil); err != nil {
		t.Error(plylang.Detail(err))
	}
}

// check tells what a metric would be with the whole key.
func TestCheckOfDroppedParts(t *testing.T) {
	var out strings.Builder
	cfg, err := config.Parse("c.yaml", []byte(oneScriptYAML(`{map: "@", labels: [{drop: true}, cpu]}`)))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	if err := Check(&out, cfg, &fakeBackend{scripts: map[string]string{"S": on("@[comm, cpu] = quantize((u64)pid);")}}, Limits{}); err != nil {
		t.Fatal(plylang.Detail(err))
	}
	for _, want := range []string{
		"ply_net{cpu} histogram\n", "        at most 56 series, about 8 KiB of kernel memory\n",
		"        dropped from the key: comm; with all of it at most 28,700 series, about 561 KiB of kernel memory\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// The description of a metric is the same where the script is known as it is written
// only.
func TestDescriptionOfDroppedParts(t *testing.T) {
	for _, probe := range []string{"tracepoint:sched/sched_switch", "tracepoint:sched/no_such_thing"} {
		script := "scripts: [{name: net, script: '" + probe + " { @[comm, pid] = count(); }', metrics: [{map: '@', labels: [{drop: true}, process]}]}]"
		cfg, err := config.Parse("c.yaml", []byte(script))
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		infos, err := Describe(cfg, &fakeBackend{})
		if err != nil || len(infos[0].Metrics) != 1 || !slices.Equal(infos[0].Metrics[0].Labels, []string{"process"}) {
			t.Errorf("%s: %+v, %v", probe, infos, err)
		}
	}
}

// A reload compiles a script again of whose keys another part is dropped, and no
// other one.
func TestReloadOfDroppedParts(t *testing.T) {
	const body = "@[comm, pid] = count();"
	first, err := compileOne(t, body, `{map: "@", labels: [{drop: true}, pid]}`, nil)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	was := map[string]*running{"net": {compiled: first.compiled}}
	for labels, same := range map[string]bool{"[{drop: true}, process]": true, "[program, {drop: true}]": false, "[program, process]": false} {
		next, err := compileOne(t, body, `{map: "@", labels: `+labels+`}`, was)
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		if got := next.compiled.object == first.compiled.object; got != same || next.compiled.object.Hash == first.compiled.object.Hash != same {
			t.Errorf("labels: %s: the same object: %t", labels, got)
		}
	}
}
