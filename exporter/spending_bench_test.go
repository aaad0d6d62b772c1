package exporter

import (
	"log/slog"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/exporter/config"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// BenchmarkBudget watches what all shipped configurations take, and says which part of a CPU
// that is.
func BenchmarkBudget(b *testing.B) {
	need.BPF(b)
	backend := NewBackend(runningKernel(b), slog.New(slog.DiscardHandler), false)
	cfg, err := config.Load([]string{"../configs"})
	if err != nil {
		b.Fatal(plylang.Detail(err))
	}
	scripts, fatal := compile(cfg, backend)
	if len(fatal) > 0 {
		b.Fatal(fatal.Detail())
	}
	start(scripts, backend)
	defer stop(scripts)
	in := &instance{opt: testOptions(backend, "")}
	in.collector = &collector{scripts: scripts, maxSeries: 50000, log: in.opt.Log}
	in.watchSpending(b.Context())
	before := cpuTime(b)
	for b.Loop() {
		in.watchSpending(b.Context())
	}
	each := (cpuTime(b) - before) / time.Duration(b.N)
	b.ReportMetric(100*each.Seconds()/sampleEvery.Seconds(), "%cpu")
	b.ReportMetric(float64(len(scripts)), "scripts")
}

// cpuTime is what this process took of all CPUs.
func cpuTime(b *testing.B) time.Duration {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
