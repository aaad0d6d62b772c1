package exporter

import (
	"context"
	"flag"
	"fmt"
	"image"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ply-exporter/exporter/config"
	"ply-exporter/internal/need"
	"ply-exporter/internal/smallpng"
	"ply-exporter/tracer"
)

// pictures is where TestScenes draws what it looks at. Those of the documentation are made
// by
//
//	go test ./exporter -run TestScenes -pictures "$PWD/docs"
var pictures = flag.String("pictures", "", "folder for pictures of the status page")

// A scene is a state of the exporter, and what the page shows of it without a script.
type scene struct {
	name   string
	yaml   string
	shows  []string
	reload string // a configuration that is refused then
	height int    // of its picture on a desktop
}

const (
	callsYAML = `scripts:
  - name: calls
    help: System calls by process.
    script: |
      kprobe:SyS_* { @[comm] = count(); }
  - name: run_queue
    help: Time that threads wait for a CPU.
    script: |
      tracepoint:sched/sched_wakeup { since[data->pid] = time; }
      tracepoint:sched/sched_switch {
          if (since[data->next_pid]) { @latency = quantize(time - since[data->next_pid]); }
          delete since[data->next_pid];
      }
`
	busyYAML = `  - name: softirq
    help: Time in software interrupts.
    script: |
      tracepoint:irq/softirq_entry { since[cpu] = time; }
      tracepoint:irq/softirq_exit / since[cpu] / { @[data->vec] = sum(time - since[cpu]); }
`
	acceptsYAML = `  - name: accepts
    help: Connections accepted by the kernel.
    script: |
      kprobe:inet_csk_acept { @[comm] = count(); }
`
	wrongYAML = `scripts:
  - name: calls
    help: System calls by name.
    script: |
      kprobe:SyS_* { @[fnc] = count(); }
`
)

var scenes = []scene{
	{"healthy", callsYAML + busyYAML, []string{"<b>3</b> running", "kworker/0:1", "rate(ply_calls_total[5m])", "1 table that is not exported: since", "0.24% of a CPU"}, "", 1180},
	{"failed", acceptsYAML, []string{"<b>2</b> running", "1 not:", `<a href="#accepts">accepts</a>`, "not running", "this kernel has no kprobes"}, "", 1000},
	{"full", callsYAML, []string{"1,204 updates refused"}, "", 760},
	{"reload", callsYAML, []string{"configuration not reloaded", "not reloaded", "probes.yaml:5:24: ", "[fnc]"}, wrongYAML, 1000},
}

// start returns an exporter in the state of the scene.
func (s scene) start(t *testing.T) *instance {
	t.Helper()
	if !strings.HasPrefix(s.yaml, "scripts:") {
		s.yaml = callsYAML + s.yaml
	}
	calls := &fakeTracer{
		rows: map[string][]pair{"@": {
			{chars("postgres"), words(184_322)}, {chars("nginx"), words(97_410)}, {chars("node_exporter"), words(22_644)}, {chars("sshd"), words(8_120)},
			{chars("systemd"), words(3_377)}, {chars("kworker/0:1"), words(911)}, {chars("cron"), words(77)},
		}},
		probes: []Probe{{Spec: "kprobe:SyS_*", Kind: "raw_tracepoint", Attached: true, Sites: 1, Covers: 360, Why: "one attachment to raw_syscalls/sys_enter for 360 system calls"}},
	}
	if s.name == "full" {
		calls.dropped = map[string]uint64{"@": 1204}
		s.yaml = strings.Replace(s.yaml, "count(); }\n", "count(); }\n    metrics: [{map: \"@\", max_entries: 7, overflow: drop}]\n", 1)
	}
	var waits []int64
	for i := range int64(3000) {
		waits = append(waits, 1500+i*i*40/(1+i%7)) // most are short
	}
	b := &fakeBackend{scripts: map[string]string{}, tracers: map[string]*fakeTracer{}}
	in := &instance{opt: testOptions(b, ""), started: time.Now().Add(-time.Hour)}
	cfg := parsed(t, s.yaml)
	b.tracers[strings.TrimSpace(cfg.Scripts[0].Source.Text)] = calls
	b.tracers[strings.TrimSpace(cfg.Scripts[1].Source.Text)] = &fakeTracer{
		rows: map[string][]pair{"@latency": {{nil, histogramValue(durationThresholds(), waits...)}}},
		probes: []Probe{
			{Spec: "tracepoint:sched/sched_wakeup", Kind: "raw_tracepoint", Attached: true, Sites: 1, Covers: 1, Why: "fires with preemption off: a raw tracepoint loses nothing"},
			{Spec: "tracepoint:sched/sched_switch", Kind: "raw_tracepoint", Attached: true, Sites: 1, Covers: 1},
		},
	}
	if s.name == "healthy" {
		b.tracers[strings.TrimSpace(cfg.Scripts[2].Source.Text)] = &fakeTracer{
			rows:   map[string][]pair{"@": {{words(3), words(41e9)}, {words(7), words(19e9)}, {words(1), words(6e9)}}},
			probes: []Probe{{Spec: "tracepoint:irq/softirq_entry", Kind: "raw_tracepoint", Attached: true, Sites: 1, Covers: 1}},
			names:  map[int64]string{3: "NET_RX", 7: "SCHED", 1: "TIMER"},
		}
	}
	in.collector = run(t, b, s.yaml)
	for i, c := range in.collector.scripts {
		if r := c.running; r != nil {
			r.created = in.started
			r.spent.add(costs{all: tracer.Cost{Runs: uint64(1100 - 300*i), Time: time.Duration(240-70*i) * time.Microsecond}}, sampleTime)
		}
	}
	in.opt.CPUBudget = 0.05
	in.reloads.begin(cfg)
	_, err := in.collector.gather(time.Now())
	if s.reload != "" {
		var fresh *config.Config
		fresh, parseErr := config.Parse("probes.yaml", []byte(s.reload))
		if err = in.apply(fresh, parseErr, "SIGHUP"); err == nil {
			t.Fatal("the configuration is taken")
		}
		return in
	}
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// The page shows what is not as it should be, as text that needs no script, and what is.
func TestScenes(t *testing.T) {
	for _, s := range scenes {
		in := s.start(t)
		page := pageOf(in)
		for _, text := range s.shows {
			if !strings.Contains(page, text) {
				t.Errorf("%s: no %q in\n%s", s.name, text, page[strings.Index(page, "<body>"):strings.Index(page, "<script>")])
			}
		}
		if *pictures != "" {
			s.draw(t, in)
		}
	}
}

// draw takes pictures of the page, on a desktop and on a phone.
func (s scene) draw(t *testing.T, in *instance) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(pageOf(in))) })
	mux.HandleFunc("GET /phone", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<!DOCTYPE html><body style="margin: 0"><iframe src="/" style="border: 0; width: %dpx; height: %dpx"></iframe>`, phone.X, phone.Y)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	file := func(device string) string { return filepath.Join(*pictures, "page-"+s.name+"-"+device+".png") }
	takePicture(t, server.URL, file("desktop"), image.Pt(1120, s.height))
	takePicture(t, server.URL+"/phone", file("phone"), phone)
}

// phone is the size of a phone's screen.
var phone = image.Pt(390, 844)

// takePicture writes what a window of that size shows. Chromium has no window as narrow as a
// phone.
func takePicture(t *testing.T, url, file string, size image.Point) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, need.Command(t, "chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir="+t.TempDir(),
		fmt.Sprintf("--window-size=%d,%d", max(size.X, 600), size.Y+100), "--virtual-time-budget=1500", "--screenshot="+file, url)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, said)
	}
	if err := smallpng.Shrink(file, size); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
}
