package exporter

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"golang.org/x/sys/unix"

	"ply-exporter/exporter/config"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// BenchmarkExpiry scrapes 20,000 series each half second while all of them expire, and says
// what expiry takes besides in one such time at most, and in all, in scrapes of 20,000
// series.
func BenchmarkExpiry(b *testing.B) {
	need.BPF(b)
	const keys = 20000
	text := `scripts: [{name: x, script: "tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ { @[data->args[0]] = count(); }",
		metrics: [{map: "@", max_entries: 20000, expire: 10s}]}]`
	cfg, err := config.Parse("x.yaml", []byte(strings.NewReplacer("GETPPID", fmt.Sprint(unix.SYS_GETPPID), "PID", fmt.Sprint(os.Getpid())).Replace(text)))
	if err != nil {
		b.Fatal(plylang.Detail(err))
	}
	backend := NewBackend(runningKernel(b), slog.New(slog.DiscardHandler), false)
	scripts, fatal := compile(cfg, backend)
	if len(fatal) > 0 {
		b.Fatal(fatal.Detail())
	}
	start(scripts, backend)
	defer stop(scripts)
	c := &collector{scripts: scripts, maxSeries: 50000, log: slog.New(slog.DiscardHandler)}
	h := &metricsHandler{collector: c, log: newLimitedLog(c.log)}
	period := func() (series int, scrape, besides time.Duration) {
		begin, before := time.Now(), cpuTime(b)
		var body bytes.Buffer
		if err := h.write(&body, expfmt.FmtText, begin, nil); err != nil {
			b.Fatal(err)
		}
		scrape = cpuTime(b) - before
		time.Sleep(time.Until(begin.Add(500 * time.Millisecond)))
		return c.scripts[0].running.series[0].shown, scrape, cpuTime(b) - before - scrape
	}
	var scrapes, most, all time.Duration
	n := 0
	for b.Loop() {
		for key := range uintptr(keys) {
			_, _, _ = unix.RawSyscall(unix.SYS_GETPPID, key, 0, 0)
		}
		period() // learns the keys
		for series := keys; series > 0; {
			var scrape, besides time.Duration
			if series, scrape, besides = period(); series == keys {
				scrapes += scrape
				n++
			}
			most, all = max(most, besides), all+besides
		}
	}
	one := scrapes / time.Duration(n)
	b.ReportMetric(float64(one.Microseconds()), "µs/scrape")
	b.ReportMetric(float64(most)/float64(one), "most")
	b.ReportMetric(float64(all)/float64(one)/float64(b.N), "all")
}
