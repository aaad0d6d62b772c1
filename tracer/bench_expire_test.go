package tracer

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// BenchmarkExpiry is what the expiry of 20,000 keys takes, in readings of the map while
// it has them: a tick at which nothing is old, all ticks at which keys are deleted, and
// all readings after these.
func BenchmarkExpiry(b *testing.B) {
	need.BPF(b)
	const keys = 20000
	tr := start(b, expireAll(b, `tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ { @[data->args[0]] = count(); }`, keys), testOptions(b))
	x := tr.expirings[0]
	read := func() {
		if c := must(tr.Contents(x.Map)); c.ExpiredEnd > 0 {
			tr.TakeExpired(x.Map, c.ExpiredEnd)
		}
	}
	tick := func() {
		if err := x.tick(waitForPrograms); err != nil {
			b.Fatal(err)
		}
	}
	var full, idle, sweep, after time.Duration
	for b.Loop() {
		for key := range uintptr(keys) {
			getppid(key)
		}
		read()
		full += cpuTime(read)
		idle += cpuTime(tick)
		for range object.ExpireTicks - 1 {
			tick()
			read()
		}
		expired := tr.Expired(x.Map)
		for tr.Expired(x.Map) < expired+keys {
			sweep += cpuTime(tick)
			after += cpuTime(read)
		}
	}
	b.ReportMetric(float64(full.Microseconds())/float64(b.N), "µs/reading")
	b.ReportMetric(float64(idle)/float64(full), "idle-ticks")
	b.ReportMetric(float64(sweep)/float64(full), "ticks")
	b.ReportMetric(float64(after)/float64(full), "readings")
}

// cpuTime is what this process takes of all CPUs to do something.
func cpuTime(do func()) time.Duration {
	used := func() time.Duration {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
			panic(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	do()
	return used() - before
}
