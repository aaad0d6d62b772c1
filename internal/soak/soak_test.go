// Package soak runs the exporter as a fleet does, for as long as it is told: all
// shipped configurations, under load, scraped each second by a real Prometheus,
// reloaded and restarted all the while.
package soak

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"ply-exporter/internal/need"
	"ply-exporter/internal/promtest"
	"ply-exporter/internal/stress"
)

// The picture of docs/performance.md is from
//
//	go test ./internal/soak -for 1h -timeout 2h -picture "$PWD/docs/soak.svg"
var (
	length  = flag.Duration("for", time.Minute, "how long to run")
	picture = flag.String("picture", "", "`file` to write a picture of the run to (SVG)")
)

// A flat is what must not grow, by a query.
type flat struct {
	name, query string
	unit        string
	scale       float64 // of the unit
	slack       float64 // how much more the end may have than the first half, as a ratio
}

var flats = []flat{
	{"resident-memory", `process_resident_memory_bytes`, "MB", 1e6, 1.15},
	{"descriptors", `process_open_fds`, "open file descriptors", 1, 1.05},
	{"goroutines", `go_goroutines`, "goroutines", 1, 1.25},
	{"kernel-memory", `sum(ply_map_memory_bytes)`, "MB of maps in the kernel", 1e6, 1.02},
	{"series", `scrape_samples_scraped`, "samples of a scrape", 1, 1.5},
	{"scrape-duration", `quantile_over_time(0.9, scrape_duration_seconds[30s])`, "ms for a scrape", 1e-3, 2},
}

// TestSoak is for leaks and for losses: memory, descriptors, goroutines and kernel
// memory stay what they are, and each event of a generator is counted once, although
// the exporter is reloaded sixty times and restarted six times, once by kill -9.
func TestSoak(t *testing.T) {
	need.Root(t)
	need.BPF(t)
	e := newExporter(t)
	e.start()
	prometheus := promtest.Start(t, e.address)
	events := generate()
	began := time.Now()
	err := stress.Mixed(func() error { return e.live(*length) })
	took := time.Since(began)
	made := events.end()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v: %d reloads, %d restarts, %d events", took.Round(time.Second), e.reloads, e.restarts, made)

	prometheus.WaitValue(`ply_soak_exact_total`, float64(made))
	prometheus.WaitValue(`sum(ply_soak_keys_total)`, float64(made))
	if n := prometheus.Value(fmt.Sprintf(`increase(ply_soak_exact_total[%ds])`, int(took.Seconds()))); n > float64(made)*1.02 {
		t.Errorf("increase() is %.0f for %d events: Prometheus saw a reset", n, made)
	}
	if n := prometheus.Value(fmt.Sprintf(`resets(ply_soak_exact_total[%ds])`, int(took.Seconds()))); n != 0 {
		t.Errorf("%v resets of a counter that is pinned", n)
	}
	if n := prometheus.Value(`count(ply_script_up == 0) or vector(0)`); n != 0 {
		t.Errorf("%v scripts are down: %v", n, prometheus.Query(`ply_script_up == 0`))
	}
	if failed := prometheus.Value(fmt.Sprintf(`sum_over_time((1 - up)[%ds:1s])`, int(took.Seconds()))); failed > e.away.Seconds()+float64(2*e.restarts) {
		t.Errorf("%v scrapes failed in %d restarts, in which nobody answered for %v", failed, e.restarts, e.away)
	}
	var all bytes.Buffer
	for _, f := range flats {
		line := prometheus.Range(f.query, began, began.Add(took), max(time.Second, took/720))
		f.check(t, line)
		f.draw(&all, line, e.restartedAt)
	}
	if *picture != "" {
		if err := os.WriteFile(*picture, page(all.Bytes(), len(flats)), 0o644); err != nil {
			t.Error(err)
		}
	}
	e.checkEnd()
}

// check compares the last tenth with the first half, without the start.
func (f flat) check(t *testing.T, line []promtest.Point) {
	t.Helper()
	if len(line) < 20 {
		t.Errorf("%s: Prometheus has %d values only", f.name, len(line))
		return
	}
	n := len(line)
	before, after := largest(line[n/10:n/2]), median(line[n-n/10-1:])
	t.Logf("%-16s at most %.4g in the first half, %.4g in the end", f.name, before/f.scale, after/f.scale)
	if after > before*f.slack {
		t.Errorf("%s grew from %.4g to %.4g %s", f.name, before/f.scale, after/f.scale, f.unit)
	}
}
