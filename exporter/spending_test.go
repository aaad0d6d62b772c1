package exporter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/exporter/config"
	"ply-exporter/internal/need"
	"ply-exporter/tracer"
)

// spender is a tracer whose programs take a share of a CPU.
func spender(share float64) func() tracer.Cost {
	begin := time.Now()
	return func() tracer.Cost {
		took := time.Duration(share * float64(time.Since(begin)))
		return tracer.Cost{Runs: uint64(took / 100), Time: took}
	}
}

// A script that takes more than its budget over a minute is detached, keeps what it
// has counted, and is started afresh after a pause that doubles; others go on.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := &reloadBackend{rows: map[string][]pair{"@": counts(map[string]int64{"x": 7})}}
		const dear = "  - name: c\n    script: tracepoint:sched/sched_switch { @[comm] = avg((u64)pid); }\n"
		in := reloading(t, b, "scripts:\n"+countA+countB+"    budget: 20%\n"+dear+"    budget: 0\n")
		in.opt.Log, in.opt.CPUBudget = slog.New(slog.NewTextHandler(&log, nil)), 0.05
		for i, share := range []float64{0.07, 0.125, 3} {
			b.started[i].cost = spender(share)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- in.run(ctx, nil) }()
		expect := func(after time.Duration, started int, lines ...string) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			text := scrapeAll(t, in.collector)
			for _, line := range lines {
				if !strings.Contains(text, line) {
					t.Errorf("no %s in\n%s", line, text)
				}
			}
			if len(b.started) != started {
				t.Errorf("%d scripts were started, want %d", len(b.started), started)
			}
		}
		expect(40*time.Second, 3, `ply_script_over_budget{script="a"} 0`, `ply_script_up{script="a"} 1`, `ply_script_cpu_ratio{script="b"} 0.125`, `ply_script_run_seconds{script="c"} 1`)
		expect(30*time.Second, 3, `ply_script_over_budget{script="a"} 1`, `ply_script_up{script="a"} 0`, `ply_a_total{comm="x"} 7`,
			`ply_script_over_budget{script="b"} 0`, `ply_script_up{script="b"} 1`, `ply_script_up{script="c"} 1`)
		first := b.started[0]
		if !first.paused || first.closed || b.started[1].paused || b.started[2].paused {
			t.Errorf("%+v", b.started)
		}
		if view, _ := in.view(); view.Scripts[0].State != "over" || !strings.Contains(view.Scripts[0].Error, "took 7% of a CPU in a minute, its budget is 5%") {
			t.Errorf("%+v", view.Scripts[0])
		}
		if _, err := in.change(parsed(t, "scripts:\n"+countA+countB+"    budget: 20%\n"+dear+"    budget: 0\n")); err != nil {
			t.Fatal(err)
		}
		expect(0, 3, `ply_script_over_budget{script="a"} 1`)
		expect(70*time.Second, 4, `ply_script_over_budget{script="a"} 0`, `ply_script_up{script="a"} 1`)
		if !first.closed {
			t.Error("the script before is open")
		}
		b.started[3].cost = spender(0.5)
		expect(75*time.Second, 4, `ply_script_over_budget{script="a"} 1`)
		expect(80*time.Second, 4, `ply_script_over_budget{script="a"} 1`) // a pause of two minutes
		b.refuse = "count"
		expect(30*time.Second, 4, `ply_script_over_budget{script="a"} 1`)
		b.refuse = ""
		expect(5*time.Minute, 5, `ply_script_over_budget{script="a"} 0`)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for _, text := range []string{"script detached", "took 7%", "script runs again", "does not start again"} {
			if !strings.Contains(log.String(), text) {
				t.Errorf("not in the log: %s\n%s", text, &log)
			}
		}
	})
}

// A sample reads what programs take without waiting for a scrape, in which they go on.
func TestSampleDuringAScrape(t *testing.T) {
	b := &reloadBackend{}
	in := reloading(t, b, "scripts:\n"+countA)
	read := make(chan bool, 2)
	b.started[0].cost = func() tracer.Cost { read <- true; return tracer.Cost{} }
	in.collector.lock.Lock()
	done := make(chan bool)
	go func() { in.sample(t.Context(), io.NopCloser(nil)); close(done) }()
	for range 2 {
		select {
		case <-read:
		case <-time.After(10 * time.Second):
			t.Error("it waits for the scrape")
		}
	}
	in.collector.lock.Unlock()
	<-done
}

// A script that is detached begins at once when its budget has become large enough.
func TestBudgetRaised(t *testing.T) {
	for _, row := range []struct {
		budget  string
		started int
	}{{"10%", 1}, {"60%", 2}, {"0", 2}} {
		b := &reloadBackend{}
		in := reloading(t, b, "scripts:\n"+countA+"    budget: 5%\n")
		r := in.collector.scripts[0].running
		for range samples {
			r.spent.add(costs{all: tracer.Cost{Runs: 1, Time: time.Second / 2}}, time.Second)
		}
		in.detach(in.collector.scripts[0])
		if _, err := in.change(parsed(t, "scripts:\n"+countA+"    budget: "+row.budget+"\n")); err != nil {
			t.Fatal(err)
		}
		if over := in.collector.scripts[0].running.spent.over; over != (row.started == 1) || len(b.started) != row.started || b.started[0].closed == over {
			t.Errorf("budget %s: over it: %v, started %d times", row.budget, over, len(b.started))
		}
	}
}

// A noStatistics is a backend that may not know what programs take.
type noStatistics struct{ *reloadBackend }

func (noStatistics) Statistics() (io.Closer, error) { return nil, errors.New("no CAP_SYS_ADMIN") }

func TestBudgetWithoutStatistics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		in := reloading(t, &reloadBackend{}, "scripts:\n"+countA)
		in.opt.Log, in.opt.CPUBudget, in.opt.Backend = slog.New(slog.NewTextHandler(&log, nil)), 0.05, noStatistics{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := in.run(ctx, nil); err != nil {
			t.Error(err)
		}
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "no CAP_SYS_ADMIN") || !strings.Contains(got, "--bpf.cpu-budget has no effect") {
			t.Error(got)
		}
		if text := scrapeAll(t, in.collector); strings.Contains(text, "ply_script_cpu_ratio") {
			t.Error(text)
		}
	})
}

// While nothing is known of what scripts take, no share is shown and those are started
// again whose pause is over; once it is known, budgets have an effect.
func TestBudgetWhileStatisticsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &reloadBackend{}
		in := reloading(t, b, "scripts:\n"+countA+"    budget: 5%\n"+countB+"    budget: 0\n")
		in.opt.CPUBudget = 0.05
		b.started[0].cost, b.started[1].cost = spender(0.5), spender(0.5)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- in.run(ctx, nil) }()
		let := func(backend Backend, last time.Duration) string {
			in.reloads.lock.Lock()
			in.opt.Backend = backend
			in.reloads.lock.Unlock()
			time.Sleep(last)
			synctest.Wait()
			return scrapeAll(t, in.collector)
		}
		if text := let(b, 75*time.Second); !strings.Contains(text, `ply_script_over_budget{script="a"} 1`) || !strings.Contains(text, `ply_script_cpu_ratio{script="b"} 0.5`) {
			t.Error(text)
		}
		if text := let(noStatistics{b}, 2*time.Minute); !strings.Contains(text, `ply_script_over_budget{script="a"} 0`) || strings.Contains(text, "ply_script_cpu_ratio") {
			t.Error(text)
		}
		b.started[2].cost = spender(0.5)
		if text := let(b, 75*time.Second); !strings.Contains(text, `ply_script_over_budget{script="a"} 1`) {
			t.Error(text)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A script that is made to be dear exceeds a budget on this kernel that a cheap one keeps. The
// budget is between what they take, which depends on what else the machine does.
func TestBudgetOfARealScript(t *testing.T) {
	need.BPF(t)
	backend := NewBackend(runningKernel(t), slog.New(slog.DiscardHandler), false)
	cfg := parsed(t, `scripts:
  - name: dear
    script: kprobe:SyS_getpriority { unroll (64) { @[rand % 100] = count(); } }
  - name: cheap
    script: kprobe:SyS_getpriority { @ = count(); }
  - name: part
    sample: auto
    script: kprobe:SyS_getpriority { unroll (64) { @[rand % 100] = count(); } }
`)
	scripts, fatal := compile(cfg, backend)
	if len(fatal) > 0 {
		t.Fatal(fatal.Detail())
	}
	start(scripts, backend)
	defer stop(scripts)
	in := &instance{opt: testOptions(backend, "")}
	in.collector = &collector{scripts: scripts, maxSeries: 50000, log: in.opt.Log}
	end := make(chan bool)
	go func() {
		for {
			select {
			case <-end:
				return
			default:
				_, _ = unix.Getpriority(unix.PRIO_PROCESS, 0)
			}
		}
	}()
	defer close(end)
	dear, cheap := scripts[0].running, scripts[1].running
	for i := range samples {
		if i == samples-1 {
			in.opt.CPUBudget = config.Share(math.Sqrt(dear.spent.share() * cheap.spent.share()))
		}
		if in.watchSpending(t.Context()); in.blind {
			t.Fatal("this process may not know")
		}
	}
	if part := scripts[2].running; part.spent.over || part.every < 2 {
		t.Errorf("what is sampled is detached, or looks at one event in %d", part.every)
	}
	if !dear.spent.over || cheap.spent.over {
		t.Errorf("dear: took %v, over budget %v; cheap: %v, %v", dear.spent.took, dear.spent.over, cheap.spent.share(), cheap.spent.over)
	}
	if cheap.spent.cost.Runs == 0 || dear.spent.cost.Time < cheap.spent.cost.Time {
		t.Errorf("dear %+v, cheap %+v", dear.spent.cost, cheap.spent.cost)
	}
	for _, p := range dear.tracer.Probes() {
		if p.Attached {
			t.Errorf("%s is attached", p.Spec)
		}
	}
	before := scrape(t, in.collector)
	time.Sleep(20 * time.Millisecond)
	if !strings.Contains(before, "ply_dear_total{") || dearOf(scrape(t, in.collector)) != dearOf(before) {
		t.Error("what was counted is gone, or it is still counted")
	}
}

// dearOf are the lines of a scrape that are the dear script's.
func dearOf(text string) (lines string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "ply_dear_total{") {
			lines += line
		}
	}
	return lines
}

func TestShares(t *testing.T) {
	for text, want := range map[string]config.Share{"5%": 0.05, "0": 0, "0%": 0, "0.5%": 0.005, "250%": 2.5} {
		if got, err := config.ParseShare(text); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5", "0.05", "-1%", "x%", "5 %", "1000000%"} {
		if got, err := config.ParseShare(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
