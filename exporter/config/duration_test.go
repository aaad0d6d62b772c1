package config

import (
	"math"
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "10s": 10 * time.Second, "1h30m": 90 * time.Minute, "1.5h": 90 * time.Minute, "-10m": -10 * time.Minute,
		"1m30ms": time.Minute + 30*time.Millisecond, "2us5ns": 2005, "10000000000h": math.MaxInt64, "1e3s": 1000 * time.Second,
	} {
		if got, ok := parseDuration(text); !ok || got != want {
			t.Errorf("%s is %v, %t, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "-", "10", "1h 30m", "h", "1d", "1h30", "09s", "s10", "1h-5m", "99999999999999999999999999999999s"} {
		if got, ok := parseDuration(text); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// All keys that are times take the same ones.
func TestKeysThatAreTimes(t *testing.T) {
	for _, metric := range []string{"expire: 1h30m", "labels: [{as: [pod], ttl: 1h30m, min_age: 1m30s}]"} {
		if _, err := Parse("c.yaml", []byte(metricYAML(metric))); err != nil {
			t.Errorf("%s: %v", metric, err)
		}
	}
}
