package exporter

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ply-exporter/exporter/config"
	"ply-exporter/internal/promtest"
	"ply-exporter/plylang"
)

// A reloadBackend gives each script that is started a tracer of its own, and
// remembers it.
type reloadBackend struct {
	fakeBackend
	lock    sync.Mutex
	started []*fakeTracer
	texts   []string
	refuse  string // a text that this kernel does not run
	rows    map[string][]pair
}

func (b *reloadBackend) Start(list []Start) ([]Tracer, []error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	tracers, errs := make([]Tracer, len(list)), make([]error, len(list))
	for i, s := range list {
		text := strings.TrimSpace(s.Object.Script.Src.Text)
		if b.refuse != "" && strings.Contains(text, b.refuse) {
			errs[i] = errors.New("the kernel refuses it")
			continue
		}
		f := &fakeTracer{rows: b.rows}
		tracers[i] = f
		b.started, b.texts = append(b.started, f), append(b.texts, text)
	}
	return tracers, errs
}

// take returns the texts that were started since it was last asked.
func (b *reloadBackend) take() []string {
	defer func() { b.texts = nil }()
	return b.texts
}

func parsed(t *testing.T, yaml string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("probes.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	return cfg
}

// reloading is an instance that serves a configuration to nobody.
func reloading(t *testing.T, b *reloadBackend, yaml string) *instance {
	t.Helper()
	in := &instance{opt: testOptions(b, "")}
	cfg := parsed(t, yaml)
	scripts, fatal := compile(cfg, b)
	if len(fatal) > 0 {
		t.Fatal(fatal.Detail())
	}
	start(scripts, b)
	in.collector = &collector{scripts: scripts, maxSeries: 50000, log: in.opt.Log}
	in.reloads.begin(cfg)
	return in
}

const (
	countA  = "  - name: a\n    script: tracepoint:sched/sched_switch { @[comm] = count(); }\n"
	countB  = "  - name: b\n    script: tracepoint:sched/sched_switch { @[comm] = sum((u64)pid); }\n"
	countB2 = "  - name: b\n    script: tracepoint:sched/sched_switch { @[comm] = sum((u64)tid); }\n"
	countC  = "  - name: c\n    script: tracepoint:sched/sched_switch { @ = count(); }\n"
)

// Only what has changed is started and stopped.
func TestReloadReplacesWhatHasChanged(t *testing.T) {
	b := &reloadBackend{}
	in := reloading(t, b, "scripts:\n"+countA+countB)
	b.take()
	open := func() (n int) {
		for _, f := range b.started {
			if !f.closed {
				n++
			}
		}
		return n
	}
	for _, row := range []struct {
		name, yaml       string
		started, stopped []string
		kept             int
	}{
		{"the same", "scripts:\n" + countA + countB, nil, nil, 2},
		{"lines above", "# a comment\n\nscripts:\n" + countA + countB, nil, nil, 2},
		{"another order", "scripts:\n" + countB + countA, nil, nil, 2},
		{"a name", "scripts:\n" + countA + "    metrics: [{map: '@', name: other_total, labels: [program]}]\n" + countB, nil, nil, 2},
		{"a namespace", "namespace: x\nscripts:\n" + countA + countB, nil, nil, 2},
		{"a script", "scripts:\n" + countA + countB2, []string{"b"}, []string{"b"}, 1},
		{"room for keys", "scripts:\n" + countA + "    metrics: [{map: '@', max_entries: 7}]\n" + countB2, []string{"a"}, []string{"a"}, 1},
		{"one more", "scripts:\n" + countA + countB2 + countC, []string{"a", "c"}, []string{"a"}, 1},
		{"fewer", "scripts:\n" + countC, nil, []string{"a", "b"}, 1},
		{"another name", "scripts:\n" + strings.Replace(countC, "c", "d", 1), []string{"d"}, []string{"c"}, 0},
	} {
		c, err := in.change(parsed(t, row.yaml))
		if err != nil {
			t.Fatalf("%s: %s", row.name, plylang.Detail(err))
		}
		slices.Sort(c.started)
		slices.Sort(c.stopped)
		if c.kept != row.kept || !slices.Equal(c.started, row.started) || !slices.Equal(c.stopped, row.stopped) {
			t.Errorf("%s: kept %d, started %q, stopped %q", row.name, c.kept, c.started, c.stopped)
		}
		if got := b.take(); len(got) != len(row.started) {
			t.Errorf("%s: the kernel started %q", row.name, got)
		}
		if got, want := open(), len(in.collector.scripts); got != want {
			t.Errorf("%s: %d tracers are open, want %d", row.name, got, want)
		}
		if text := scrape(t, in.collector); strings.Contains(text, "_up 0") {
			t.Errorf("%s: %s", row.name, text)
		}
	}
}

// A script whose metrics have other names or labels keeps its counts and their
// starts; what was absent from the reading before starts there.
func TestReloadKeepsCountsAndStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &reloadBackend{rows: map[string][]pair{"@": counts(map[string]int64{"a": 1})}}
		in := reloading(t, b, "scripts:\n"+countA)
		begin := b.started[0].Created()
		read := func(rows map[string]int64) map[string]time.Time {
			time.Sleep(10 * time.Second)
			b.started[0].rows["@"] = counts(rows)
			return startsOf(t, in.collector, time.Now())
		}
		read(map[string]int64{"a": 1})
		first := time.Now().Truncate(time.Millisecond).Add(3 * time.Millisecond)
		want := map[string]time.Time{"a": begin, "b": first}
		if got := read(map[string]int64{"a": 1, "b": 2}); !maps.EqualFunc(got, want, time.Time.Equal) {
			t.Fatalf("before: %v, want %v", got, want)
		}
		second := time.Now().Truncate(time.Millisecond).Add(3 * time.Millisecond)
		renamed := "scripts:\n" + countA + "    metrics: [{map: '@', name: other_total, labels: [{name: program, map: {b: bee}}]}]\n"
		if _, err := in.change(parsed(t, renamed)); err != nil {
			t.Fatal(err)
		}
		want = map[string]time.Time{"a": begin, "bee": first, "c": second}
		if got := read(map[string]int64{"a": 1, "b": 2, "c": 3}); !maps.EqualFunc(got, want, time.Time.Equal) {
			t.Errorf("after: %v, want %v", got, want)
		}
		if text := scrape(t, in.collector); !strings.Contains(text, `other_total{program="bee"} 2`) || strings.Contains(text, "ply_a_total") {
			t.Error(text)
		}
		gauge := "scripts:\n" + countA + "    metrics: [{map: '@', type: gauge}]\n"
		if _, err := in.change(parsed(t, gauge)); err != nil {
			t.Fatal(err)
		}
		read(map[string]int64{"a": 1, "b": 2})
		if _, err := in.change(parsed(t, "scripts:\n"+countA)); err != nil {
			t.Fatal(err)
		}
		want = map[string]time.Time{"a": begin, "b": begin}
		if got := read(map[string]int64{"a": 1, "b": 2}); !maps.EqualFunc(got, want, time.Time.Equal) {
			t.Errorf("after a gauge: %v, want %v", got, want)
		}
	})
}

// A script that takes the place of another one starts after the last sample of that, and
// not after the scrape which shows it.
func TestReloadStartsAfterSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &reloadBackend{rows: map[string][]pair{"@": counts(map[string]int64{"a": 3})}}
		in := reloading(t, b, "scripts:\n"+countB)
		time.Sleep(10 * time.Second)
		startsOf(t, in.collector, time.Now())
		sampled := time.Now()
		waits := time.Now() // what is requested before the reload may be answered after it
		if _, err := in.change(parsed(t, "scripts:\n"+countB2)); err != nil {
			t.Fatal(err)
		}
		replaced := time.Now()
		time.Sleep(10 * time.Second)
		if got := startsOf(t, in.collector, time.Now())["a"]; !got.After(sampled.Add(stampTolerance)) || got.After(replaced.Add(4*time.Millisecond)) {
			t.Errorf("start %v, last sample of the script before %v, replaced %v", got, sampled, replaced)
		}
		if _, err := in.change(parsed(t, "scripts:\n"+countB)); err != nil {
			t.Fatal(err)
		}
		if got := startsOf(t, in.collector, waits)["a"]; got.After(waits) {
			t.Errorf("start %v, requested %v", got, waits)
		}
	})
}

// What is wrong changes nothing.
func TestReloadRefused(t *testing.T) {
	for _, row := range []struct{ name, yaml, refuse, want string }{
		{"a mistake", "scripts:\n" + countA + countC + "  - name: b\n    script: kprobe:x { @ = cuont(); }\n", "", "cuont"},
		{"a script that ran", "scripts:\n" + countA + countB2 + countC, "tid", "what runs as b would end: "},
		{"none runs", "scripts:\n" + strings.Replace(countC, "c", "d", 1), "count", "no script runs"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := &reloadBackend{}
			in := reloading(t, b, "scripts:\n"+countA+countB)
			before := scrape(t, in.collector)
			b.refuse = row.refuse
			_, err := in.change(parsed(t, row.yaml))
			if err == nil || !strings.Contains(plylang.Detail(err), row.want) {
				t.Errorf("error %v, want %q", err, row.want)
			}
			for i, f := range b.started {
				if f.closed != (i >= 2) {
					t.Errorf("script %d: closed %v", i, f.closed)
				}
			}
			if after := scrape(t, in.collector); after != before {
				t.Errorf("before\n%s\nafter\n%s", before, after)
			}
		})
	}
}

// A new script that cannot run is down, as at a start, unless --strict.
func TestReloadOfOneThatCannotRun(t *testing.T) {
	b := &reloadBackend{refuse: "@ ="}
	in := reloading(t, b, "scripts:\n"+countA)
	with := parsed(t, "scripts:\n"+countA+countC)
	if _, err := in.change(with); err != nil {
		t.Fatal(err)
	}
	if text := scrapeAll(t, in.collector); !strings.Contains(text, `ply_script_up{script="c"} 0`) || !strings.Contains(text, `ply_script_up{script="a"} 1`) {
		t.Error(text)
	}
	in.opt.Strict = true
	if _, err := in.change(with); err == nil || !strings.Contains(err.Error(), "refuses") {
		t.Errorf("strict: %v", err)
	}
	in.opt.Strict, b.refuse = false, ""
	if c, err := in.change(with); err != nil || !slices.Equal(c.started, []string{"c"}) {
		t.Errorf("once it can: %+v, %v", c, err)
	}
}

// serveFile serves a file, and returns the address and what writes the file.
func serveFile(t *testing.T, opt Options, yaml string) (url string, write func(string)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "probes.yaml")
	write = func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(yaml)
	opt.Load = func() (*config.Config, error) { return config.Load([]string{file}) }
	cfg, err := opt.Load()
	if err != nil {
		t.Fatal(err)
	}
	return serveConfig(t, opt, cfg), write
}

func post(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, readBody(t, resp)
}

func TestReloadByRequest(t *testing.T) {
	b := &reloadBackend{}
	opt := testOptions(b, freeAddress(t))
	opt.Lifecycle = true
	url, write := serveFile(t, opt, "scripts:\n"+countA)
	expect := func(want ...string) {
		t.Helper()
		_, text := get(t, url+"/metrics")
		for _, line := range want {
			if !strings.Contains(text, line) {
				t.Errorf("no %s in\n%s", line, text)
			}
		}
	}
	_, text := get(t, url+"/metrics")
	expect("ply_exporter_config_last_reload_successful 1\n", "ply_exporter_config_last_reload_success_timestamp_seconds 1.", `ply_exporter_config_info{hash="`)
	hash := text[strings.Index(text, `config_info{hash="`):][:40]

	write("scripts:\n" + countA + "  - name: b\n    script: tracepoint:sched/sched_switch { @ = cuont(); }\n")
	status, body := post(t, url+"/-/reload")
	if status != http.StatusInternalServerError || !strings.Contains(body, "probes.yaml:5:") || !strings.Contains(body, "^") || !strings.Contains(body, `did you mean "count"`) {
		t.Errorf("%d %s", status, body)
	}
	expect("ply_exporter_config_last_reload_successful 0\n", hash, `ply_script_up{script="a"} 1`)
	if _, page := get(t, url+"/"); !strings.Contains(page, "cuont") {
		t.Error("the page does not tell why the configuration is not the one of the file")
	}

	write("scripts:\n" + countA + countC)
	if status, body := post(t, url+"/-/reload"); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	expect("ply_exporter_config_last_reload_successful 1\n", `ply_script_up{script="c"} 1`)
	if _, text := get(t, url+"/metrics"); strings.Contains(text, hash) {
		t.Error("the hash is the same")
	}
	if _, page := get(t, url+"/"); strings.Contains(page, "cuont") {
		t.Error("the page tells of an error that is over")
	}
	if status, _ := get(t, url+"/-/reload"); status != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d", status)
	}
}

// A heldBackend starts nothing until it is released.
type heldBackend struct {
	*reloadBackend
	begun, released chan bool
}

func (b heldBackend) Start(list []Start) ([]Tracer, []error) {
	select {
	case b.begun <- true:
	default:
	}
	<-b.released
	return b.reloadBackend.Start(list)
}

// A reload that is asked for during the first start comes after it.
func TestReloadDuringTheStart(t *testing.T) {
	b := heldBackend{&reloadBackend{}, make(chan bool, 1), make(chan bool)}
	address := freeAddress(t)
	opt := testOptions(b, address)
	opt.Lifecycle = true
	status := make(chan int, 1)
	go func() {
		<-b.begun
		time.AfterFunc(200*time.Millisecond, func() { close(b.released) })
		resp, err := http.Post("http://"+address+"/-/reload", "", nil)
		if err != nil {
			t.Error(err)
			close(status)
			return
		}
		_ = resp.Body.Close()
		status <- resp.StatusCode
	}()
	serveFile(t, opt, "scripts:\n"+countA)
	if got := <-status; got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	if len(b.started) != 1 {
		t.Errorf("started %q", b.texts)
	}
}

// A real Prometheus that stores zeros at start times has every count of scripts that
// take each other's place, though each has counted more than the one before.
func TestPrometheusOverReloads(t *testing.T) {
	b := &reloadBackend{}
	opt := testOptions(b, freeAddress(t))
	opt.Lifecycle = true
	one := strings.Replace(countA, "name: a", "name: b", 1)
	other := strings.Replace(one, "{", "/ pid > 0 / {", 1)
	named := func(script, name string) string { return script + "    metrics: [{map: '@', name: " + name + "}]\n" }
	var p *promtest.Server
	url, write, sum := "", func(string) {}, 0.0
	for i, step := range []struct {
		scripts string
		counts  int64
	}{
		{named(countA, "x_total") + named(one, "y_total"), 3},
		{named(countA, "x_total") + named(other, "y_total"), 5},
		{named(countA, "y_total") + named(one, "x_total"), 12},
	} {
		rows := counts(map[string]int64{"k": step.counts})
		if i == 0 {
			url, write = serveFile(t, opt, "scripts:\n"+step.scripts)
			p = promtest.StartZeros(t, strings.TrimPrefix(url, "http://"))
			p.WaitValue(`ply_script_up{script="b"}`, 1)
			for _, f := range b.started {
				f.set(rows, time.Time{})
			}
		} else {
			b.rows = map[string][]pair{"@": rows}
			write("scripts:\n" + step.scripts)
			if status, body := post(t, url+"/-/reload"); status != http.StatusOK {
				t.Fatalf("%d %s", status, body)
			}
		}
		sum += float64(step.counts)
		p.WaitIncrease(`y_total{comm="k"}`, sum)
		if got := p.Increase(`y_total{comm="k"}`); got != sum {
			t.Errorf("step %d: grown by %v, want %v", i, got, sum)
		}
	}
}

func TestReloadNotEnabled(t *testing.T) {
	b := &reloadBackend{}
	url, _ := serveFile(t, testOptions(b, freeAddress(t)), "scripts:\n"+countA)
	if status, body := post(t, url+"/-/reload"); status != http.StatusForbidden || !strings.Contains(body, "--web.enable-lifecycle") {
		t.Errorf("%d %s", status, body)
	}
}

// Files that have changed are taken once they do not change any more, and a fault is
// told once.
func TestAutoReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lineLog
		b := &reloadBackend{}
		in := reloading(t, b, "scripts:\n"+countA)
		in.opt.Log, in.opt.AutoReload = slog.New(slog.NewTextHandler(&log, nil)), 30*time.Second
		texts := []string{"scripts:\n" + countA}
		var lock sync.Mutex
		in.opt.Load = func() (*config.Config, error) {
			lock.Lock()
			defer lock.Unlock()
			text := texts[0]
			if len(texts) > 1 {
				texts = texts[1:]
			}
			return config.Parse("probes.yaml", []byte(text))
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- in.run(ctx, nil) }()
		after := func(written ...string) int {
			lock.Lock()
			texts = written
			lock.Unlock()
			time.Sleep(100 * time.Second)
			synctest.Wait()
			return log.take()
		}
		if n := after("scripts:\n" + countA); n != 0 {
			t.Errorf("%d lines while nothing changes", n)
		}
		half, whole := "scripts:\n"+countC, "scripts:\n"+countC+countB
		if n := after(half, whole); n != 1 || len(in.collector.scripts) != 2 || len(b.started) != 3 {
			t.Errorf("%d lines, %d scripts, %d were started: a file that is being written was taken", n, len(in.collector.scripts), len(b.started))
		}
		if n := after("scripts:\n  - nme: x\n"); n != 1 {
			t.Errorf("%d lines of one fault", n)
		}
		if n := after(whole); n != 1 {
			t.Errorf("%d lines when the fault is gone", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A lineLog counts lines that tell of the configuration.
type lineLog struct {
	lock sync.Mutex
	n    int
}

func (l *lineLog) Write(p []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if bytes.Contains(p, []byte("msg=\"configuration ")) {
		l.n++
	}
	return len(p), nil
}

func (l *lineLog) take() int {
	l.lock.Lock()
	defer l.lock.Unlock()
	defer func() { l.n = 0 }()
	return l.n
}

// Scrapes go on during reloads, and nothing is left open at the end.
func TestReloadsBesideScrapes(t *testing.T) {
	b := &reloadBackend{}
	opt := testOptions(b, "")
	opt.Lifecycle = true
	in := reloading(t, b, "scripts:\n"+countA)
	in.opt = opt
	versions := []string{countA + countB, countA + countB2, countC, countA}
	n := 0
	in.opt.Load = func() (*config.Config, error) {
		n++
		return config.Parse("probes.yaml", []byte("scripts:\n"+versions[n%len(versions)]))
	}
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			for range 40 {
				if err := in.reload("test"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Go(func() {
		for range 200 {
			if _, err := in.collector.gather(time.Now()); err != nil {
				t.Error(err)
			}
			in.view()
		}
	})
	wait.Wait()
	in.end()
	for i, f := range b.started {
		if !f.closed {
			t.Errorf("script %d (%s) is open", i, b.texts[i])
		}
	}
	if err := in.reload("after the end"); err == nil {
		t.Error("reloaded after the end")
	}
}

// What a reload starts is told of as what the start does: with its warnings.
func TestReloadTellsOfWhatItStarts(t *testing.T) {
	var log bytes.Buffer
	b := &reloadBackend{}
	in := reloading(t, b, "scripts:\n"+countA)
	in.opt.Log = slog.New(slog.NewTextHandler(&log, nil))
	const doubtful = "  - name: b\n    script: 'kretprobe:SyS_openat / retval == -1 / { @ = count(); }'\n"
	if _, err := in.change(parsed(t, "scripts:\n"+countA+doubtful)); err != nil {
		t.Fatal(plylang.Detail(err))
	}
	if text := log.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, "EPERM") || !strings.Contains(text, `msg="script runs" script=b`) || strings.Contains(text, "script=a") {
		t.Error(text)
	}
}

// A reload tells which series have another name or labels now, and of no others.
func TestReloadTellsOfRenames(t *testing.T) {
	var log bytes.Buffer
	in := reloading(t, &reloadBackend{}, "scripts:\n"+countA+countB+countC)
	in.opt.Log = slog.New(slog.NewTextHandler(&log, nil))
	const other = "  - name: a\n    script: tracepoint:sched/sched_switch { @[pid] = count(); }\n"
	named := countC + "    metrics: [{map: \"@\", name: switches_total}]\n"
	if _, err := in.change(parsed(t, "scripts:\n"+other+countB2+named)); err != nil {
		t.Fatal(plylang.Detail(err))
	}
	var changes []string
	for line := range strings.Lines(log.String()) {
		if _, change, is := strings.Cut(line, `msg="series change" `); is {
			changes = append(changes, strings.TrimSpace(change))
		}
	}
	want := []string{
		`script=a change="ply_a_total{comm} counter becomes ply_a_total{pid} counter"`,
		`script=c change="ply_c_total counter becomes switches_total counter"`,
	}
	if !slices.Equal(changes, want) {
		t.Errorf("got %q\nwant %q", changes, want)
	}
}
