package exporter

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

// sampledSpender is a tracer whose programs take a share of a CPU when they look at all events,
// and as much less as they look at fewer.
func sampledSpender(f *fakeTracer, share *float64) func() tracer.Cost {
	begin, took := time.Now(), 0.0
	return func() tracer.Cost {
		took += *share * time.Since(begin).Seconds() / float64(f.every)
		begin = time.Now()
		return tracer.Cost{Runs: 1, Time: time.Duration(took * 1e9)}
	}
}

// A script with sample: auto looks at as many events as its budget allows, and is detached
// if the fewest are too many.
func TestSampleAuto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := &reloadBackend{rows: map[string][]pair{"@": counts(map[string]int64{"x": 7})}}
		in := reloading(t, b, "scripts:\n"+countA+"    sample: auto\n"+countB)
		in.opt.Log, in.opt.CPUBudget = slog.New(slog.NewTextHandler(&log, nil)), 0.05
		share := 0.34
		b.started[0].cost = sampledSpender(b.started[0], &share)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- in.run(ctx, nil) }()
		expect := func(after time.Duration, lines ...string) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			text := scrapeAll(t, in.collector)
			for _, line := range lines {
				if !strings.Contains(text, line) {
					t.Errorf("no %s in\n%s", line, text)
				}
			}
		}
		expect(50*time.Second, `ply_script_sample_ratio{script="a"} 1`)
		expect(20*time.Second, `ply_script_sample_ratio{script="a"} 0.125`, `ply_script_up{script="a"} 1`,
			"# HELP ply_a_total count() of tracepoint:sched/sched_switch, script a; of a sample of the events")
		expect(5*time.Minute, `ply_script_sample_ratio{script="a"} 0.125`) // 4.25% of a CPU
		if view, _ := in.view(); !strings.Contains(view.Scripts[0].Cost.String(), "looks at one event in 8 · budget 5%") {
			t.Error(view.Scripts[0].Cost)
		}
		share = 0.06
		expect(5*time.Minute, `ply_script_sample_ratio{script="a"} 0.25`) // 1.5%
		share = 0
		expect(5*time.Minute, `ply_script_sample_ratio{script="a"} 1`)
		share = 100
		expect(160*time.Second, `ply_script_sample_ratio{script="a"} 0.0009765625`, `ply_script_over_budget{script="a"} 1`)
		if !b.started[0].paused || strings.Contains(scrapeAll(t, in.collector), `ply_script_sample_ratio{script="b"}`) {
			t.Error("it is not detached, or the other is sampled")
		}
		share = 0
		expect(time.Hour, `ply_script_over_budget{script="a"} 0`)
		if len(b.started) != 3 || b.started[2].every != 1 {
			t.Errorf("started %d times, looks at one in %d", len(b.started), b.started[2].every)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if !strings.Contains(log.String(), "one_in=8 before=1 took=34% budget=5%") {
			t.Error(&log)
		}
	})
}

// A fixed part holds from the start on, and from a reload that changes it.
func TestSampleOfAFixedPart(t *testing.T) {
	b := &reloadBackend{}
	in := reloading(t, b, "scripts:\n"+countA+"    sample: 1/16\n")
	if got := b.started[0].every; got != 16 {
		t.Errorf("one in %d", got)
	}
	for sample, want := range map[string]int{"1/4": 4, "1/256": 256} {
		if _, err := in.change(parsed(t, "scripts:\n"+countA+"    sample: "+sample+"\n")); err != nil {
			t.Fatal(err)
		}
		if got := b.started[0].every; got != want || len(b.started) != 1 {
			t.Errorf("one in %d, want %d, started %d times", got, want, len(b.started))
		}
	}
	if _, err := in.change(parsed(t, "scripts:\n"+countA)); err != nil {
		t.Fatal(err)
	}
	if len(b.started) != 2 {
		t.Error("what looks at all events is the same program")
	}
}

// What cannot be sampled is a mistake in the script, where it stands.
func TestSampleRefused(t *testing.T) {
	_, fatal := compile(parsed(t, "scripts:\n  - name: a\n    sample: auto\n    script: |\n      tracepoint:sched/sched_switch { @[pid] = max(cpu); }\n"), &fakeBackend{})
	want := "probes.yaml:5:39: max() of a sample is not that of all events"
	if text := plylang.Detail(fatal); len(fatal) != 1 || !strings.Contains(text, want) || !strings.Contains(text, "^") {
		t.Error(text)
	}
}

// However small a budget is, there is a part of the events to look at.
func TestSampleForSmallBudgets(t *testing.T) {
	for budget, want := range map[config.Share]int{0.3: 2, 0.06: 16, 1e-3: 512, 1e-18: 1024, 1e-20: 1024, 1e-300: 1024} {
		r := &running{compiled: &compiled{object: &object.Object{Sampled: true}, conf: &config.Script{Sample: &config.Sample{}}}, every: 1}
		for range samples {
			r.spent.samples = append(r.spent.samples, sample{share: 0.5})
		}
		if got := r.sampleFor(budget); got != want {
			t.Errorf("budget %g: one in %d, not %d", float64(budget), got, want)
		}
	}
}

// check says which events a script looks at.
func TestCheckOfSamples(t *testing.T) {
	for sample, want := range map[string]string{
		"sample: auto": "    looks at a part of the events, at least one in 1024, when it exceeds its budget\n",
		"sample: 1/16": "    looks at one event in 16, which stands for all\n",
		"budget: 5%":   "",
	} {
		var out strings.Builder
		cfg, err := config.Parse("c.yaml", []byte("scripts:\n  - name: s\n    "+sample+"\n    script: 'kprobe:SyS_read { @ = count(); }'\n"))
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		if err := Check(&out, cfg, &fakeBackend{}, Limits{}); err != nil {
			t.Fatal(plylang.Detail(err))
		}
		if got := out.String(); !strings.Contains(got, want) || strings.Contains(got, "looks at") != (want != "") {
			t.Errorf("%s: %s", sample, got)
		}
	}
}
