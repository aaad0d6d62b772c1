package exporter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

const oneScript = "scripts: [{name: net, script: S%s}]\n"

func oneScriptYAML(metrics string) string {
	if metrics != "" {
		metrics = ", metrics: [" + metrics + "]"
	}
	return strings.Replace(oneScript, "%s", metrics, 1)
}

func TestScrape(t *testing.T) {
	durations := []uint64{953, 1907, 3814}
	tests := []struct {
		name    string
		metrics string
		script  string
		rows    map[string][]pair
		want    string
	}{{
		name:   "count by key",
		script: on(`@[comm] = count();`),
		rows:   map[string][]pair{"@": {{chars("sshd"), words(7)}, {chars("bash"), words(3)}}},
		want: `# HELP ply_net_total count() of tracepoint:sched/sched_switch, script net
# TYPE ply_net_total counter
ply_net_total{comm="bash"} 3
ply_net_total{comm="sshd"} 7
`,
	}, {
		name:   "keyless counter exists from the start",
		script: on(`@calls = count();`),
		want: `# HELP ply_net_calls_total count() of tracepoint:sched/sched_switch, script net; includes the events that the kernel skipped
# TYPE ply_net_calls_total counter
ply_net_calls_total 0
`,
	}, {
		name:   "a constant key is no label",
		script: on(`@["size"] = count();`),
		rows:   map[string][]pair{"@": {{[]byte("size\x00\x00\x00\x00"), words(5)}}},
		want: `# HELP ply_net_total count() of tracepoint:sched/sched_switch, script net
# TYPE ply_net_total counter
ply_net_total 5
`,
	}, {
		name:   "a sum of durations is a counter in seconds",
		script: on(`@busy = sum(time - time);`),
		rows:   map[string][]pair{"@busy": {{nil, words(1_500_000_000)}}},
		want: `# HELP ply_net_busy_seconds_total sum(time - time) of tracepoint:sched/sched_switch, script net
# TYPE ply_net_busy_seconds_total counter
ply_net_busy_seconds_total 1.5
`,
	}, {
		name:   "a signed sum is a gauge",
		script: on(`@delta = sum((s64)pid);`),
		rows:   map[string][]pair{"@delta": {{nil, words(-4)}}},
		want: `# HELP ply_net_delta sum((s64)pid) of tracepoint:sched/sched_switch, script net
# TYPE ply_net_delta gauge
ply_net_delta -4
`,
	}, {
		name:    "a table on request",
		metrics: `{map: "$rx", export: true, help: Last seen.}`,
		script:  on(`$rx = (u64)pid;`),
		rows:    map[string][]pair{"$rx": {{nil, words(-1)}}},
		want: `# HELP ply_net_rx Last seen.
# TYPE ply_net_rx gauge
ply_net_rx 1.8446744073709552e+19
`,
	}, {
		name:   "an average is a summary without quantiles",
		script: on(`@size = avg((u64)pid);`),
		rows:   map[string][]pair{"@size": {{nil, words(30, 4)}}},
		want: `# HELP ply_net_size avg((u64)pid) of tracepoint:sched/sched_switch, script net
# TYPE ply_net_size summary
ply_net_size_sum 30
ply_net_size_count 4
`,
	}, {
		name:   "a maximum",
		script: on(`@top = max((u64)pid);`),
		rows:   map[string][]pair{"@top": {{nil, words(42)}}},
		want: `# HELP ply_net_top max((u64)pid) of tracepoint:sched/sched_switch, script net; the extreme since the start
# TYPE ply_net_top gauge
ply_net_top 42
`,
	}, {
		name:    "label values renamed, equal ones added together",
		metrics: `{map: "@", labels: [{name: op, map: {0: read, 1: write, 2: write}}]}`,
		script:  on(`op = (u64)pid; @[op] = count();`),
		rows:    map[string][]pair{"@": {{words(2), words(30)}, {words(0), words(10)}, {words(1), words(20)}}},
		want: `# HELP ply_net_total count() of tracepoint:sched/sched_switch, script net
# TYPE ply_net_total counter
ply_net_total{op="read"} 10
ply_net_total{op="write"} 50
`,
	}, {
		name:   "label values are valid and stay different",
		script: on(`@[comm] = count();`),
		rows:   map[string][]pair{"@": {{chars("a\xfe"), words(1)}, {chars(`a\xfe`), words(2)}, {chars("q\"\n|"), words(3)}}},
		want: `# HELP ply_net_total count() of tracepoint:sched/sched_switch, script net
# TYPE ply_net_total counter
ply_net_total{comm="a\\\\xfe"} 2
ply_net_total{comm="a\\xfe"} 1
ply_net_total{comm="q\"\n|"} 3
`,
	}, {
		name:   "no label is an order to a terminal",
		script: on(`@[comm] = count();`),
		rows:   map[string][]pair{"@": {{chars("\x1b]0;x\x07"), words(1)}, {chars("a\u009b2J"), words(2)}, {chars("b\u202ec"), words(3)}}},
		want: `# HELP ply_net_total count() of tracepoint:sched/sched_switch, script net
# TYPE ply_net_total counter
ply_net_total{comm="\\x1b]0;x\\x07"} 1
ply_net_total{comm="a\\xc2\\x9b2J"} 2
ply_net_total{comm="b\\xe2\\x80\\xaec"} 3
`,
	}, {
		name:    "a histogram of durations",
		metrics: `{map: "@lat", buckets: {min: 1us, max: 2us}}`,
		script:  on(`@lat = quantize(time - time);`),
		rows:    map[string][]pair{"@lat": {{nil, histogramValue(durations, 953, 954, 1908, 5000)}}},
		want: `# HELP ply_net_lat_seconds quantize(time - time) of tracepoint:sched/sched_switch, script net
# TYPE ply_net_lat_seconds histogram
ply_net_lat_seconds_bucket{le="9.5367431640625e-07"} 1
ply_net_lat_seconds_bucket{le="1.9073486328125e-06"} 2
ply_net_lat_seconds_bucket{le="3.814697265625e-06"} 3
ply_net_lat_seconds_bucket{le="+Inf"} 4
ply_net_lat_seconds_sum 8.815e-06
ply_net_lat_seconds_count 4
`,
	}, {
		name:    "powers of two are in the bucket they bound, negatives in the lowest",
		metrics: `{map: "@", name: sizes_bytes, buckets: {min: 4Ki, max: 8Ki}}`,
		script:  on(`@ = quantize((s64)pid);`),
		rows:    map[string][]pair{"@": {{nil, histogramValue([]uint64{4096, 8192}, 4096, 4096, 4097, -22)}}},
		want: `# HELP sizes_bytes quantize((s64)pid) of tracepoint:sched/sched_switch, script net
# TYPE sizes_bytes histogram
sizes_bytes_bucket{le="4096"} 3
sizes_bytes_bucket{le="8192"} 4
sizes_bytes_bucket{le="+Inf"} 4
sizes_bytes_sum 12267
sizes_bytes_count 4
`,
	}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := &fakeBackend{
				scripts: map[string]string{"S": tt.script},
				tracers: map[string]*fakeTracer{"S": {rows: tt.rows}},
			}
			if got := scrape(t, run(t, b, oneScriptYAML(tt.metrics))); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestSecondScrape(t *testing.T) {
	tracer := &fakeTracer{rows: map[string][]pair{"@": {{chars("a"), words(1)}, {chars("b"), words(2)}}}}
	c := run(t, &fakeBackend{
		scripts: map[string]string{"S": on(`@[comm] = count();`)},
		tracers: map[string]*fakeTracer{"S": tracer},
	}, oneScriptYAML(""))
	scrape(t, c)
	tracer.rows["@"] = []pair{{chars("c"), words(9)}, {chars("b"), words(5)}}
	want := "ply_net_total{comm=\"b\"} 5\nply_net_total{comm=\"c\"} 9\n"
	if got := scrape(t, c); !strings.HasSuffix(got, want) || strings.Contains(got, `"a"`) {
		t.Errorf("got\n%s\nwant at its end\n%s", got, want)
	}
}

// Keys that come and go leave nothing behind, even when their labels stay.
func TestGoneKeysAreForgotten(t *testing.T) {
	tracer := &fakeTracer{}
	c := run(t, &fakeBackend{
		scripts: map[string]string{"S": on(`@[pid] = count();`)},
		tracers: map[string]*fakeTracer{"S": tracer},
	}, oneScriptYAML(`{map: "@", labels: [{map: {0: x, 1: x, 2: x, 3: x}}]}`))
	known := c.scripts[0].running.series[0]
	tracer.text = func(v object.Value) string { return strconv.FormatInt(v.Int()%4, 10) }
	for i := range int64(5000) {
		tracer.rows = map[string][]pair{"@": {{words(i), words(1)}}}
		if got := scrape(t, c); !strings.HasSuffix(got, "ply_net_total{pid=\"x\"} 1\n") {
			t.Fatalf("key %d: got\n%s", i, got)
		}
	}
	if n := known.keys.Len(); n > 2000 {
		t.Errorf("%d keys are remembered and one is there", n)
	}
}

// A map that has room for all keys that there can be does not fill up, and has no maximum.
func TestMaximaOfKeys(t *testing.T) {
	b := &fakeBackend{scripts: map[string]string{"S": on("@ = count(); @few[pid & 3] = count(); @many[pid] = count();")}, tracers: map[string]*fakeTracer{"S": {}}}
	got := scrapeAll(t, run(t, b, "scripts: [{name: s, script: S}]"))
	const one = "\nply_map_max_entries{"
	if strings.Count(got, one) != 1 || !strings.Contains(got, one+`map="@many",script="s"} 10240`) || strings.Count(got, "\nply_map_entries{") != 3 {
		t.Error(got)
	}
}

func TestOwnMetrics(t *testing.T) {
	b := &fakeBackend{
		scripts: map[string]string{
			"A": on(`@ = count();`),
			"B": on(`@ = quantize((s64)pid); @r = count(); clear(@r);`),
			"D": on(`@[str(uptr(pid))] = count();`),
		},
		tracers: map[string]*fakeTracer{
			"A": {err: errors.New("no such map")},
			"B": {
				rows:     map[string][]pair{"@": {{nil, histogramValue(defaultThresholds(), -1, -2, 3)}}},
				dropped:  map[string]uint64{"@": 12},
				late:     map[string]uint64{"@": 9, "@r": 5},
				patterns: []CgroupPattern{{Pattern: "/a/*", Groups: 12, LeftOut: 2}},
				probes:   []Probe{{Spec: "kprobe:x", Kind: "kprobe", Attached: true, Missed: 4, MissedKnown: true}},
			},
		},
		checks: map[string]error{"C": &plylang.Error{Msg: "no function x", Missing: true}},
	}
	c := run(t, b, "scripts: [{name: a, script: A}, {name: b, script: B}, {name: c, script: C}, {name: d, script: D}]")
	got := scrapeAll(t, c)
	for _, line := range []string{
		`ply_script_up{script="a"} 0`,
		`ply_script_up{script="b"} 1`,
		`ply_script_up{script="c"} 0`,
		`ply_script_info{hash="` + c.scripts[1].compiled.object.Hash + `",script="b"} 1`,
		`ply_probe_attached{kind="kprobe",probe="kprobe:x",script="b"} 1`,
		`ply_probe_missed_total{probe="kprobe:x",script="b"} 4`,
		`ply_map_entries{map="@",script="b"} 1`,
		`ply_map_dropped_total{map="@",script="b"} 12`,
		`ply_map_late_clears_total{map="@r",script="b"} 5`,
		`ply_map_negative_total{map="@",script="b"} 2`,
		`ply_script_memory_faults_total{script="d"} 3`,
		`ply_cgroup_pattern_cgroups{pattern="/a/*",script="b"} 12`,
		`ply_cgroup_pattern_left_out{pattern="/a/*",script="b"} 2`,
		`ply_b_bucket{le="1"} 2`,
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no line %s in\n%s", line, got)
		}
	}
	if strings.Contains(got, `ply_script_memory_faults_total{script="b"}`) {
		t.Errorf("a script that reads no memory of processes has faults:\n%s", got)
	}
	if strings.Contains(got, `ply_map_late_clears_total{map="@",`) {
		t.Errorf("a map that nobody clears has late clears:\n%s", got)
	}
	if strings.Contains(got, "ply_a") {
		t.Errorf("a script that cannot be read has metrics:\n%s", got)
	}
}

// What probes cost is exported while the kernel always keeps statistics. A program that
// serves several specifications counts with each, and one that serves none of them with none.
func TestOwnMetricsOfRuns(t *testing.T) {
	ran := &fakeTracer{programs: []tracer.ProgramCost{
		{Specs: []string{"kprobe:a"}, Cost: tracer.Cost{Runs: 1000, Time: time.Millisecond}},
		{Specs: []string{"kprobe:a", "kprobe:b"}, Cost: tracer.Cost{Runs: 500, Time: time.Second}},
		{Cost: tracer.Cost{Runs: 7, Time: time.Hour}},
	}}
	c := run(t, &fakeBackend{scripts: map[string]string{"S": on(`@ = count();`)}, tracers: map[string]*fakeTracer{"S": ran}}, oneScriptYAML(""))
	if got := scrapeAll(t, c); strings.Contains(got, "ply_probe_run") {
		t.Errorf("the statistics are those of moments:\n%s", got)
	}
	c.timed = func() bool { return true }
	got := scrapeAll(t, c)
	for _, line := range []string{
		`ply_probe_runs_total{probe="kprobe:a",script="net"} 1500`,
		`ply_probe_runs_total{probe="kprobe:b",script="net"} 500`,
		`ply_probe_run_seconds_total{probe="kprobe:a",script="net"} 1.001`,
		`ply_probe_run_seconds_total{probe="kprobe:b",script="net"} 1`,
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no line %s in\n%s", line, got)
		}
	}
}

// Before Linux 6.4 the kernel's figure is of keys and values only.
func TestMapMemory(t *testing.T) {
	c := run(t, &fakeBackend{scripts: map[string]string{"S": on(`@[pid, tid] = count();`)}}, oneScriptYAML(""))
	r := c.scripts[0].running
	want := r.object.Maps[0].Memory(r.object.CPUs)
	if got := scrapeAll(t, c); want <= 4096 || !strings.Contains(got, fmt.Sprintf("ply_map_memory_bytes{map=\"@\",script=\"net\"} %v\n", float64(want))) {
		t.Errorf("want %d, more than the kernel's 4096, got\n%s", want, got)
	}
}

func defaultThresholds() []uint64 {
	return thresholds(quantized("", one, nil))
}

// quantized is a metric of powers of two that buckets limits.
func quantized(unit string, s scale, buckets *config.Buckets) *metric {
	return &metric{
		unit: unit, scale: s,
		decl:  &plylang.Map{Name: "@", Agg: bpfgen.Lookup("quantize"), Value: plylang.S64},
		given: &config.Metric{Map: "@", Buckets: buckets},
	}
}

func thresholds(m *metric) (out []uint64) {
	b, err := m.histogramBounds()
	if err != nil {
		panic(err)
	}
	for _, t := range b.thresholds {
		out = append(out, t.Uint64())
	}
	return out
}

// What does not fit is counted in series, of which an average has two.
func TestMaxSeries(t *testing.T) {
	for _, tt := range []struct {
		agg       string
		maxSeries int
		omitted   string
	}{{"count()", 2, "1"}, {"avg(pid)", 5, "2"}} {
		c := run(t, &fakeBackend{
			scripts: map[string]string{"S": on("@[comm] = " + tt.agg + ";")},
			tracers: map[string]*fakeTracer{"S": {rows: map[string][]pair{"@": {
				{chars("a"), words(1, 1)}, {chars("b"), words(2, 1)}, {chars("c"), words(3, 1)}}}}},
		}, oneScriptYAML(""))
		c.maxSeries = tt.maxSeries
		got := scrapeAll(t, c)
		if !strings.Contains(got, `ply_scrape_series_omitted{script="net"} `+tt.omitted+"\n") || strings.Contains(got, `comm="c"`) {
			t.Errorf("%s: two keys and %s series omitted wanted, got\n%s", tt.agg, tt.omitted, got)
		}
	}
}

func benchmarkScrape(b *testing.B, n int) {
	var rows []pair
	for i := range n {
		key := binary.LittleEndian.AppendUint64(chars("process"), uint64(i))
		rows = append(rows, pair{key, words(int64(i) * 1000)})
	}
	c := run(b, &fakeBackend{
		scripts: map[string]string{"S": on(`@[comm, pid] = count();`)},
		tracers: map[string]*fakeTracer{"S": {rows: map[string][]pair{"@": rows}}},
	}, oneScriptYAML(""))
	scrapeAll(b, c)
	b.ReportAllocs()
	for b.Loop() {
		scrapeAll(b, c)
	}
}

func BenchmarkScrape20000Series(b *testing.B) { benchmarkScrape(b, 20000) }

// What a start has left to do waits for a scrape that has waited for it, and for none that
// nobody asked for.
func TestWhoAskedIsAnsweredFirst(t *testing.T) {
	c := &collector{log: slog.New(slog.DiscardHandler)}
	c.lock.Lock()
	c.answerFirst() // returns
	c.lock.Lock()
	sent := false
	asked := make(chan error)
	go func() { asked <- c.scrape(time.Now(), func([]gathered) { sent = true }) }()
	for c.asked.Load() == 0 {
		runtime.Gosched()
	}
	if c.answerFirst(); !sent {
		t.Error("the scrape was not done")
	}
	if err := <-asked; err != nil {
		t.Error(err)
	}
	if c.asked.Load() != 0 {
		t.Error("a scrape that was done is still under way")
	}
}
