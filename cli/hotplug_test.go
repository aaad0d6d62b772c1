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

// setOnline brings processor 1 up or takes it down.
func setOnline(t *testing.T, value string) {
	t.Helper()
	if err := os.WriteFile("/sys/devices/system/cpu/cpu1/online", []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

// keepBusy computes on a processor until the test is over.
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

// A processor that goes takes its own timer along and nothing else: what it
// counted stays, scrapes go on, system calls are counted on the others.
func TestProcessorGoesAndComes(t *testing.T) {
	need.Guest(t)
	s := startServer(t, hotplugConfig)
	t.Cleanup(func() { _ = os.WriteFile("/sys/devices/system/cpu/cpu1/online", []byte("1"), 0) })
	keepBusy(t, 0)
	samples := func(cpu string) float64 {
		v, _ := value(s.families(t), "ply_samples_total", cpu)
		return v
	}
	more := func(cpu string, than float64) bool {
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			if samples(cpu) >= than+5 {
				return true
			}
		}
		return false
	}
	keepBusy(t, 1)
	if !more("1", 0) {
		t.Fatal("no samples on processor 1")
	}
	var done atomic.Bool
	scrapes := make(chan int)
	go func() {
		n := 0
		for ; !done.Load(); n++ {
			s.get(t, "/metrics")
		}
		scrapes <- n
	}()
	runWorkload(t, 100)
	setOnline(t, "0")
	at0, at1 := samples("0"), samples("1")
	runWorkload(t, 100)
	if !more("0", at0) {
		t.Error("no samples on processor 0 after processor 1 has gone")
	}
	if now := samples("1"); now != at1 {
		t.Errorf("processor 1 is gone and had %g samples, has %g", at1, now)
	}
	setOnline(t, "1")
	runWorkload(t, 100)
	keepBusy(t, 1)
	again := startServer(t, hotplugConfig)
	before := samples("1")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if v, _ := value(again.families(t), "ply_samples_total", "1"); v >= 5 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no samples on processor 1 when it is back, and the exporter was started again")
		}
	}
	t.Logf("processor 1, not started again: %g samples, %g later", before, samples("1"))
	done.Store(true)
	t.Logf("%d scrapes beside", <-scrapes)
	for _, script := range []string{"samples", "calls"} {
		if up, _ := value(s.families(t), "ply_script_up", script); up != 1 {
			t.Errorf("script %s is not up\n%s", script, s.logText(t))
		}
	}
	if n, _ := value(s.families(t), "ply_calls_total", workloadName); n != 300 {
		t.Errorf("%g calls counted, want 300", n)
	}
}
