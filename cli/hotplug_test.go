package cli

import (
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

const hotplugConfig = `
scripts:
  - name: samples
    script: |
      profile:99hz { @[cpu] = count(); }
  - name: calls
    script: |
      kprobe:SyS_getpriority { @[comm] = count(); }
`

// setOnline takes CPU 1 online (1) or offline (0).
func setOnline(t *testing.T, value string) {
	t.Helper()
	if err := os.WriteFile("/sys/devices/system/cpu/cpu1/online", []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

// keepBusy computes on a CPU until the test is over.
func keepBusy(t *testing.T, cpu int) {
	t.Helper()
	var stop atomic.Bool
	t.Cleanup(func() { stop.Store(true) })
	go func() {
		lockedThread("busy")
		var set unix.CPUSet
		set.Set(cpu)
		_ = unix.SchedSetaffinity(0, &set)
		for !stop.Load() {
		}
	}()
}

// samples is how many samples of a CPU an exporter has counted.
func (s *server) samples(t *testing.T, cpu string) float64 {
	t.Helper()
	n, _ := value(s.families(t), "ply_samples_total", cpu)
	return n
}

// waitSamples waits for five more samples of a CPU.
func (s *server) waitSamples(t *testing.T, cpu string, than float64) {
	t.Helper()
	for end := time.Now().Add(time.Minute); s.samples(t, cpu) < than+5; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no samples of CPU %s beyond %g", cpu, than)
		}
	}
}

// keepScraping scrapes until the function it returns is called.
func (s *server) keepScraping(t *testing.T) (stop func()) {
	t.Helper()
	var done atomic.Bool
	ended := make(chan bool)
	go func() {
		defer close(ended)
		for !done.Load() {
			s.get(t, "/metrics")
		}
	}()
	return func() {
		done.Store(true)
		<-ended
	}
}

// A CPU that goes offline stops its own timer and nothing else: what it
// counted stays, scrapes go on, system calls are counted on the others. When it is
// back it is sampled again, by the exporter that kept running and by one that is started
// then.
func TestCPUGoesOfflineAndComesBack(t *testing.T) {
	need.OneGuest(t)
	need.Guest(t)
	s := startServer(t, hotplugConfig)
	t.Cleanup(func() { _ = os.WriteFile("/sys/devices/system/cpu/cpu1/online", []byte("1"), 0) })
	keepBusy(t, 0)
	keepBusy(t, 1)
	s.waitSamples(t, "1", 0)
	stopScraping := s.keepScraping(t)
	runWorkload(t, 100)
	setOnline(t, "0")
	at0, at1 := s.samples(t, "0"), s.samples(t, "1")
	runWorkload(t, 100)
	s.waitSamples(t, "0", at0)
	if now := s.samples(t, "1"); now != at1 {
		t.Errorf("CPU 1 is offline and had %g samples, has %g", at1, now)
	}
	setOnline(t, "1")
	runWorkload(t, 100)
	stopScraping()
	keepBusy(t, 1)
	s.waitSamples(t, "1", at1)
	startServer(t, hotplugConfig).waitSamples(t, "1", 0)
	for _, script := range []string{"samples", "calls"} {
		if up, _ := value(s.families(t), "ply_script_up", script); up != 1 {
			t.Errorf("script %s is not up\n%s", script, s.logText(t))
		}
	}
	if n, _ := value(s.families(t), "ply_calls_total", workloadName); n != 300 {
		t.Errorf("%g calls counted, want 300", n)
	}
}
