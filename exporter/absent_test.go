package exporter

import (
	"strings"
	"testing"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// absentScript has a probe that the kernel lacks, and one that takes the second of
// its alternatives.
const absentScript = `tracepoint:sched/nope ? { @gone = count(); @also[comm] = sum(1); @cleared = count(); }
tracepoint:sched/nope ? tracepoint:sched/sched_switch { @here = count(); clear(@cleared); }`

// What is absent is no metric, not even one at zero, and is configured in vain.
func TestAbsentMetrics(t *testing.T) {
	b := &fakeBackend{
		scripts: map[string]string{"S": absentScript, "T": "tracepoint:sched/nope ? { @ = count(); }"},
		tracers: map[string]*fakeTracer{"S": {rows: map[string][]pair{"@here": {{nil, words(5)}}}}},
	}
	c := run(t, b, `scripts:
  - {name: net, script: S, metrics: [{map: "@gone", name: gone_total, labels: [a, b]}, {map: "@cleared", name: cleared_total, type: gauge}, {map: "@here", name: here_total}]}
  - {name: nothing, script: T}
`)
	want := "# HELP here_total count() of tracepoint:sched/sched_switch, script net; includes the events that the kernel skipped\n# TYPE here_total counter\nhere_total 5\n"
	if got := scrape(t, c); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	all := scrapeAll(t, c)
	for _, line := range []string{`ply_script_up{script="net"} 1`, `ply_script_up{script="nothing"} 1`} {
		if !strings.Contains(all, line+"\n") {
			t.Errorf("no %s in\n%s", line, all)
		}
	}
}

// check says what is absent, and why.
func TestCheckNotesWhatIsAbsent(t *testing.T) {
	b := &fakeBackend{scripts: map[string]string{"S": absentScript, "T": "tracepoint:sched/nope ? kprobe:nope { @ = count(); }"}}
	cfg, err := config.Parse("c.yaml", []byte("scripts:\n  - {name: net, script: S}\n  - {name: none, script: T}\n"))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	var out strings.Builder
	err = Check(&out, cfg, b, Limits{})
	if err == nil || !strings.Contains(err.Error(), "this kernel has nothing of tracepoint:sched/nope ? kprobe:nope: tracepoint:sched/nope: this kernel has no tracepoint sched/nope; kprobe:nope: this kernel has no") {
		t.Errorf("got error %v", err)
	}
	for _, want := range []string{
		"    tracepoint:sched/sched_switch: ",
		"note: c.yaml:2:25: tracepoint:sched/nope ? is absent: this kernel has no tracepoint sched/nope\n",
		"@gone is absent: nothing that runs on this kernel stores in it\n",
		"@also is absent: nothing that runs on this kernel stores in it\n",
		"@cleared is absent: nothing that runs on this kernel stores in it\n",
		"script none: does not run here\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "_gone") {
		t.Errorf("a metric that is absent is listed:\n%s", out.String())
	}
}

// The status page has the notes, and the probes that are there.
func TestNotesOnThePage(t *testing.T) {
	b := &fakeBackend{scripts: map[string]string{"S": absentScript}}
	in := &instance{opt: testOptions(b, ""), collector: run(t, b, oneScriptYAML(""))}
	if page := pageOf(in); !strings.Contains(page, `<p class="note">probes.yaml:1:31: tracepoint:sched/nope ? is absent: this kernel has no tracepoint sched/nope`) {
		t.Errorf("no note in\n%s", page)
	}
}
