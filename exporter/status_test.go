package exporter

import (
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ply-exporter/exporter/config"
	"ply-exporter/tracer"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The shape of the status is as documented, whatever has become of scripts.
func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, yaml := demo()
		probes := b.tracers["kprobe:x { @lat = quantize(time - time); }"]
		probes.probes[0].MissedKnown, probes.probes[0].Missed = true, 5
		opt := testOptions(b, "")
		opt.CPUBudget = 0.05
		in := &instance{opt: opt, started: time.Now(), collector: run(t, b, yaml)}
		in.reloads.begin(parsed(t, yaml))
		if body := visit(in, statusPath).Body.String(); !strings.Contains(body, `"reload": null`) || !strings.Contains(body, `"scrape": null`) {
			t.Errorf("at first there was neither a scrape nor a reload:\n%s", body)
		}
		time.Sleep(time.Minute)
		latency := in.collector.scripts[1].running
		latency.spent.add(newCosts([]tracer.ProgramCost{{Specs: []string{"kprobe:x"}, Cost: tracer.Cost{Runs: 250, Time: time.Millisecond}}}), sampleTime)
		scrapeAll(t, in.collector)
		_, err := config.Parse("probes.yaml", []byte("scripts:\n  - nme: x\n"))
		_ = in.apply(nil, err, "test")
		w := visit(in, statusPath)
		got := w.Body.String()
		for _, s := range in.collector.scripts {
			if s.running != nil {
				got = strings.Replace(got, s.running.object.Hash, "HASH-OF-"+s.conf.Name, 1)
			}
		}
		got = strings.Replace(got, in.reloads.hash, "HASH", 1)
		golden := filepath.Join("testdata", "status.json")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(golden); err != nil || got != string(want) {
			t.Errorf("error %v, got\n%s\nwant\n%s", err, got, want)
		}
		if typ := w.Header().Get("Content-Type"); typ != "application/json" {
			t.Errorf("Content-Type %s", typ)
		}
	})
}

// visit returns what the server of an instance answers to GET.
func visit(in *instance, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	in.health(in.handler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// All who ask for the status within two seconds share a reading of the maps.
func TestStatusReadsSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracer := &fakeTracer{rows: map[string][]pair{"@": {{chars("one"), words(11)}}}}
		b := &fakeBackend{scripts: map[string]string{"S": on(`@[comm] = count();`)}, tracers: map[string]*fakeTracer{"S": tracer}}
		in := &instance{opt: testOptions(b, ""), started: time.Now(), collector: run(t, b, oneScriptYAML(""))}
		for _, reads := range []int{1, 2} {
			for range 20 {
				in.serveStatus(httptest.NewRecorder(), nil)
			}
			if tracer.reads != reads {
				t.Errorf("%d readings, want %d", tracer.reads, reads)
			}
			time.Sleep(pageAge)
		}
	})
}

// The configuration that is shown is the one that runs, with the files of scripts.
func TestConfigThatRuns(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	script := write("c.ply", "tracepoint:sched/sched_switch { @ = count(); } // é\n")
	file := write("probes.yaml", "scripts: # two\n"+countA+"  - {name: c, file: c.ply}\n  - {name: d, file: c.ply}\n")
	load := func() (*config.Config, error) { return config.Load([]string{file}) }
	cfg, err := load()
	if err != nil {
		t.Fatal(err)
	}
	b := &reloadBackend{}
	in := reloading(t, b, "scripts:\n"+countA)
	in.opt.Load = load
	in.reloads.begin(cfg)
	want := "# " + file + "\nscripts: # two\n" + countA + "  - {name: c, file: c.ply}\n  - {name: d, file: c.ply}\n\n" +
		"# " + script + "\ntracepoint:sched/sched_switch { @ = count(); } // é\n"
	if got := visit(in, configPath).Body.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	write("probes.yaml", "scripts: {}\n")
	if in.reload("test") == nil {
		t.Error("a wrong configuration was taken")
	}
	if got := visit(in, configPath).Body.String(); got != want {
		t.Errorf("after a reload that failed:\n%s", got)
	}
	write("probes.yaml", "scripts:\n"+countA)
	if err := in.reload("test"); err != nil {
		t.Fatal(err)
	}
	if got := visit(in, configPath).Body.String(); got != "# "+file+"\nscripts:\n"+countA {
		t.Errorf("after a reload:\n%s", got)
	}
}

// What tells of the exporter needs the password, and does not tell it.
func TestStatusAndConfigNeedThePassword(t *testing.T) {
	b, yaml := demo()
	url := serve(t, b, yaml, passwordFile(t))
	for _, path := range []string{statusPath, configPath} {
		if status, _ := get(t, url+path); status != http.StatusUnauthorized {
			t.Errorf("%s: status %d", path, status)
		}
		status, body := get(t, strings.Replace(url, "//", "//u:ply@", 1)+path)
		if status != http.StatusOK || !strings.Contains(body, "How long it takes.") || strings.Contains(body, "$2a$") {
			t.Errorf("%s with the password: status %d\n%s", path, status, body)
		}
	}
}

// The exporter is ready while a script runs; with --keep-going always.
func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &reloadBackend{}
		in := reloading(t, b, "scripts:\n"+countA)
		expect := func(when string, status int, text string) {
			t.Helper()
			if w := visit(in, "/-/ready"); w.Code != status || w.Body.String() != "ply-exporter "+text+".\n" {
				t.Errorf("%s: status %d, %s", when, w.Code, w.Body)
			}
		}
		expect("before the scripts were tried", 503, "is starting its scripts")
		in.changed()
		expect("with a script", 200, "is ready")
		in.opt.CPUBudget = 0.05
		b.started[0].cost = spender(0.07)
		for range samples {
			in.watchSpending(context.Background())
		}
		expect("over its budget", 503, "runs none of its scripts")
		in.opt.KeepGoing = true
		in.changed()
		expect("with --keep-going", 200, "is ready")
		in.opt.KeepGoing = false
		time.Sleep(firstPause)
		in.watchSpending(context.Background())
		expect("when it runs again", 200, "is ready")
		in.end()
	})
}
