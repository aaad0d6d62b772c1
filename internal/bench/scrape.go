package main

import (
	"fmt"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

var scrapeRows = []row{
	{name: "scrape of 100,000 series, text", values: cpuAndPeak(0.40, 0.35), run: scrapes("count()", 100_000, "", "identity")},
	{name: "scrape of 100,000 series, text, gzip", values: cpuAndPeak(0, 0), run: scrapes("count()", 100_000, "", "gzip")},
	{name: "scrape of 100,000 series, protobuf", values: cpuAndPeak(0.50, 0.40), run: scrapes("count()", 100_000, protobuf, "identity")},
	{name: "scrape of 100,000 series, protobuf, gzip", values: cpuAndPeak(0, 0), run: scrapes("count()", 100_000, protobuf, "gzip")},
	{name: "scrape of 20,000 series, text", values: cpuAndPeak(0.75, 0.50), run: scrapes("count()", 20_000, "", "identity")},
	{name: "scrape of 1,000 histograms of 25 buckets, text", values: cpuAndPeak(0.60, 0), run: scrapes("quantize(arg1)", 1_000, "", "identity")},
	nativeRow("quantize(arg1)"), nativeRow("quantize(arg1, 3)"), nativeRow("quantize(arg1, 4)"),
}

// nativeRow compares native histograms with classic ones.
func nativeRow(aggregation string) row {
	return row{
		name: "scrape of 1,000 native histograms of " + aggregation + ", protobuf, beside classic ones", values: cpuAndPeak(1.5, 0),
		run: scrapesOf(aggregation, 1_000, protobuf, "identity", ", native: true"), beside: scrapes(aggregation, 1_000, protobuf, "identity"),
	}
}

func cpuAndPeak(cpu, peak float64) []value {
	return []value{
		{name: "CPU", unit: "ms", ratio: cpu},
		{name: "peak resident memory", unit: "MB", ratio: peak},
	}
}

// scrapes measures the CPU time of a scrape and the peak memory of an exporter
// that was scraped often, with so many keys that were updated once.
func scrapes(aggregation string, keys int, accept, encoding string) func(string) ([]float64, error) {
	return scrapesOf(aggregation, keys, accept, encoding, "")
}

// scrapesOf is scrapes of a metric of which more is said.
func scrapesOf(aggregation string, keys int, accept, encoding, more string) func(string) ([]float64, error) {
	config := fmt.Sprintf(`scripts:
  - name: keys
    script: |
      kprobe:SyS_getpriority / comm == "ply-bench" / { @[arg0] = %s; }
    metrics:
      - {map: "@", max_entries: %d%s}
`, aggregation, keys+keys/50, more)
	return func(path string) ([]float64, error) {
		s, err := serve(path, config, "--metrics.max-series", "200000")
		if err != nil {
			return nil, err
		}
		defer s.end()
		touch(keys)
		return s.scrapeOften(accept, encoding)
	}
}

// scrapeOften gives milliseconds of CPU time for a scrape, and the peak in MB.
func (s *server) scrapeOften(accept, encoding string) ([]float64, error) {
	const times = 20
	if _, err := s.scrape(accept, encoding); err != nil { // makes what later ones find made
		return nil, err
	}
	before, err := s.cpu()
	if err != nil {
		return nil, err
	}
	for range times {
		if _, err := s.scrape(accept, encoding); err != nil {
			return nil, err
		}
	}
	after, err := s.cpu()
	if err != nil {
		return nil, err
	}
	peak, err := s.megabytes("VmHWM")
	return []float64{float64((after-before)/time.Microsecond) / 1000 / times, peak}, err
}

// touch makes the calls that the script counts, each with a key of its own.
func touch(keys int) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: a thread of another name must not go back to the pool
		name := append([]byte("ply-bench"), 0)
		_ = unix.Prctl(unix.PR_SET_NAME, uintptrOf(name), 0, 0, 0)
		for i := range keys {
			_, _, _ = syscall.RawSyscall(unix.SYS_GETPRIORITY, uintptr(1000+i), uintptr(i), 0)
		}
	}()
	<-done
}
