package cli

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// stepClock sets the time of day.
func stepClock(t *testing.T, by time.Duration) {
	t.Helper()
	to := unix.NsecToTimespec(time.Now().Add(by).UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &to); err != nil {
		t.Fatal(err)
	}
}

// When the time of day jumps, forward or back, no series that is new then starts in the
// future of the clock, and none that was there starts again or loses a count.
func TestStartTimesAfterTheClockWasSet(t *testing.T) {
	need.OneGuest(t)
	need.Guest(t)
	s := startServer(t, `
scripts:
  - name: calls
    script: |
      kprobe:SyS_getpriority / startswith(comm, "key-") / { @[comm] = count(); }
`)
	callAs("key-a")
	first := s.counters(t, "ply_calls_total")["key-a"]
	calls, set := 1.0, time.Duration(0)
	t.Cleanup(func() { stepClock(t, -set) })
	for key, by := range map[string]time.Duration{"key-b": 2 * time.Hour, "key-c": -5 * time.Hour} {
		stepClock(t, by)
		set += by
		callAs(key)
		callAs("key-a")
		calls++
		got := s.counters(t, "ply_calls_total")
		if a := got["key-a"]; a.value != calls || !a.at.Equal(first.at) {
			t.Errorf("after %s: key-a is %v since %s, want %v since %s", by, a.value, a.at, calls, first.at)
		}
		if c := got[key]; c.value != 1 || c.at.After(time.Now()) {
			t.Errorf("after %s: %s is %v since %s, and now it is %s", by, key, c.value, c.at, time.Now())
		}
	}
}
