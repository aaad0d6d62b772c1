package exporter

import (
	"strings"
	"testing"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// An expression renames what it matches as a whole, and keys whose labels come out
// equal are added, however they add up.
func TestLabelRegexp(t *testing.T) {
	kernel := []pair{{chars("kworker/0:1"), words(3)}, {chars("bash"), words(5)}, {chars("kworker/1:2"), words(4)}}
	means := []pair{{chars("kworker/0:1"), words(30, 3, 0)}, {chars("kworker/1:2"), words(4, 1, 0)}}
	least := []pair{{chars("kworker/0:1"), words(^3)}, {chars("bash"), words(^5)}, {chars("kworker/1:2"), words(^4)}} // as it is kept
	for _, row := range []struct {
		script, label string
		rows          []pair
		want          string
	}{
		{`@[comm] = count();`, `{name: comm, regexp: "(kworker).*"}`, kernel, `_total{comm="bash"} 5 _total{comm="kworker"} 7`},
		{`@[comm] = count();`, `{regexp: "(kworker).*", keep: true}`, kernel, `_total{comm="kworker"} 7`},
		{`@[comm] = count();`, `{regexp: "kworker.*", keep: true}`, kernel, `_total{comm="kworker/0:1"} 3 _total{comm="kworker/1:2"} 4`},
		{`@[comm] = count();`, `{regexp: "kworker", keep: true}`, kernel, ``},
		{`@[comm] = count();`, `{regexp: '\Qkworker/0:1', keep: true}`, kernel, `_total{comm="kworker/0:1"} 3`},
		{`@[comm] = count();`, `{regexp: '(?i)KWORKER/0.*|kworker/2', keep: true}`, kernel, `_total{comm="kworker/0:1"} 3`},
		{`@[comm] = count();`, `{regexp: "(worker|as).*"}`, kernel, `_total{comm="bash"} 5 _total{comm="kworker/0:1"} 3 _total{comm="kworker/1:2"} 4`},
		{`@[comm] = count();`, `{regexp: "(kw).*|.*", keep: true}`, kernel, `_total{comm=""} 5 _total{comm="kw"} 7`},
		{`@[comm] = count();`, `{regexp: "(kworker|b).*", map: {kworker: kernel, bash: shell}}`, kernel, `_total{comm="b"} 5 _total{comm="kernel"} 7`},
		{`@[comm] = max((u64)pid);`, `{regexp: "(.).*"}`, kernel, `{comm="b"} 5 {comm="k"} 4`},
		{`@[comm] = min((u64)pid);`, `{regexp: "(.).*"}`, least, `{comm="b"} 5 {comm="k"} 3`},
		{`@[comm] = avg((u64)pid);`, `{regexp: "(.).*"}`, means, `_sum{comm="k"} 34 _count{comm="k"} 4`},
		{`@[(s32)pid] = count();`, `{regexp: "-(.*)", map: {1: one}}`, []pair{{words(-1), words(3)}, {words(-2), words(4)}, {words(2), words(5)}}, `_total{pid="2"} 9 _total{pid="one"} 3`},
		{`@[comm] = count();`, `{regexp: '\Q(kworker', keep: true}`, kernel, ``},
		{`@[comm] = count();`, `{regexp: '\Qbash', keep: true}`, kernel, `_total{comm="bash"} 5`},
		{`@[comm] = count();`, `{regexp: "(?i)(KWORKER).*|b.*|", keep: true}`, kernel, `_total{comm=""} 5 _total{comm="kworker"} 7`},
		{`@[comm] = sum((s64)pid);`, `{regexp: "(.).*"}`, []pair{{chars("a1"), words(-3, 0)}, {chars("a2"), words(1, 0)}}, `{comm="a"} -2`},
		{`@[comm] = count();`, `{regexp: "a(.*)"}`, []pair{{chars("a\x1b"), words(1)}, {chars("a\xff"), words(2)}}, `_total{comm="\\x1b"} 1 _total{comm="\\xff"} 2`},
	} {
		c := run(t, &fakeBackend{
			scripts: map[string]string{"S": on(row.script)},
			tracers: map[string]*fakeTracer{"S": {rows: map[string][]pair{"@": row.rows}}},
		}, oneScriptYAML(`{map: "@", labels: [`+row.label+`]}`))
		got := ""
		for range 2 { // keys that are known have the same labels
			got = strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(afterComments(scrape(t, c))), "ply_net", ""), "\n", " ")
		}
		if got != row.want {
			t.Errorf("%s %s: got\n%s\nwant\n%s", row.script, row.label, got, row.want)
		}
	}
}

// Times cannot be added: of those of several keys the last counts.
func TestLabelRegexpOfTimes(t *testing.T) {
	rows := []pair{{chars("kworker/0:1"), words(1_700_000_000_000_000_000)}, {chars("kworker/1:2"), words(1_600_000_000_000_000_000)}}
	c := run(t, &fakeBackend{
		scripts: map[string]string{"S": on(`@[comm] = walltime;`)},
		tracers: map[string]*fakeTracer{"S": {rows: map[string][]pair{"@": rows}}},
	}, oneScriptYAML(`{map: "@", export: true, labels: [{regexp: "(kworker).*"}]}`))
	expectLine(t, scrape(t, c), "\nply_net_timestamp_seconds{comm=\"kworker\"} 1.7e+09\n")
}

// A bound on series counts what expressions leave of the keys.
func TestLabelRegexpAndMaxSeries(t *testing.T) {
	rows := []pair{{chars("bash"), words(1)}, {chars("kworker/0"), words(1)}, {chars("kworker/1"), words(1)}, {chars("sh"), words(1)}}
	for label, omitted := range map[string]int{`{regexp: "(kworker).*"}`: 1, `{regexp: "(kworker).*", keep: true}`: 0, `{regexp: "k.*", keep: true}`: 0, `{regexp: "(.*)"}`: 2} {
		c := run(t, &fakeBackend{
			scripts: map[string]string{"S": on(`@[comm] = count();`)},
			tracers: map[string]*fakeTracer{"S": {rows: map[string][]pair{"@": rows}}},
		}, oneScriptYAML(`{map: "@", labels: [`+label+`]}`))
		c.maxSeries = 2
		expectLine(t, scrapeAll(t, c), "\nply_scrape_series_omitted{script=\"net\"} %d\n", omitted)
	}
}

// Keys that keep leaves out are counted, and histograms lose none of the others.
func TestLabelKeep(t *testing.T) {
	bounds := []uint64{1, 2, 4}
	tracer := &fakeTracer{rows: map[string][]pair{"@": {
		{chars("kworker/0:1"), append(histogramValue(bounds, 1, 2), words(0)...)}, {chars("bash"), append(histogramValue(bounds, 4), words(0)...)}, {chars("kworker/1:2"), append(histogramValue(bounds, 4), words(0)...)},
	}}}
	c := run(t, &fakeBackend{
		scripts: map[string]string{"S": on(`@[comm] = quantize((s64)pid);`)},
		tracers: map[string]*fakeTracer{"S": tracer},
	}, oneScriptYAML(`{map: "@", buckets: {min: 1, max: 4}, labels: [{regexp: "(kworker).*", keep: true}]}`))
	for range 2 {
		text := scrapeAll(t, c)
		expectLine(t, text, "ply_map_filtered_entries{map=\"@\",script=\"net\"} 1\n")
		for _, want := range []string{
			`script net; only keys whose comm matches "(kworker).*"`,
			`ply_net_bucket{comm="kworker",le="1"} 1`, `ply_net_bucket{comm="kworker",le="4"} 3`, `ply_net_sum{comm="kworker"} 7`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("no %s in\n%s", want, text)
			}
		}
		if v := c.scripts[0].running.last[0].view(); v.Filtered != 1 || len(v.Histograms) != 1 {
			t.Errorf("the page shows %+v", v)
		}
		if strings.Contains(text, "bash") {
			t.Errorf("a key was exported that is not to be kept:\n%s", text)
		}
	}
}

// check prints what expressions do.
func TestCheckOfLabelRegexp(t *testing.T) {
	cfg, err := config.Parse("c.yaml", []byte(oneScriptYAML(`{map: "@", labels: [{regexp: "(.).*"}, {name: what, regexp: "x.*", keep: true}]}`)))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	var out strings.Builder
	_ = Check(&out, cfg, &fakeBackend{scripts: map[string]string{"S": on(`@[comm, comm] = count();`)}}, Limits{})
	for _, want := range []string{"        comm is renamed by \"(.).*\"\n", "        only keys whose what matches \"x.*\"\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
