package exporter

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"testing"

	"ply-exporter/internal/promtest"
)

// A real Prometheus computes of native buckets what the numbers are, within the error of
// the schema; and shares of numbers up to a bound exactly, also of those that are equal to it.
func TestNativeHistogramsInPrometheus(t *testing.T) {
	s := newNativeScript(t, "time - time, 3", "native: true")
	numbers := []int64{0, 1953125, 1953125, 1953125, 1953126} // 2^-9 s, and a nanosecond more
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		numbers = append(numbers, int64(1e6*math.Exp(r.NormFloat64())))
	}
	s.put(numbers)
	slices.Sort(numbers)
	target := httptest.NewServer(&metricsHandler{collector: s.c, created: true, log: newLimitedLog(s.c.log)})
	defer target.Close()
	prometheus := promtest.StartNative(t, target.Listener.Addr().String())
	if n := prometheus.Value("histogram_count(ply_net_seconds)"); int(n) != len(numbers) {
		t.Fatalf("%v numbers, want %d", n, len(numbers))
	}
	within := math.Exp2(1.0/8) * (1 + 1e-9)
	for _, q := range []float64{0.01, 0.1, 0.5, 0.9, 0.99, 0.999} {
		got := prometheus.Value(fmt.Sprintf("histogram_quantile(%v, ply_net_seconds)", q))
		want := float64(numbers[int(math.Ceil(q*float64(len(numbers))))-1]) / 1e9
		if got > want*within || got < want/within {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	for _, exponent := range []int{-12, -10, -9, -8} {
		bound := math.Ldexp(1, exponent)
		got := prometheus.Value(fmt.Sprintf("histogram_fraction(-Inf, %v, ply_net_seconds)", bound)) * float64(len(numbers))
		want := len(numbers)
		if at := slices.IndexFunc(numbers, func(v int64) bool { return float64(v)/1e9 > bound }); at >= 0 {
			want = at
		}
		if math.Abs(got-float64(want)) > 1e-6 {
			t.Errorf("%v numbers are up to %v, want %d", got, bound, want)
		}
	}
	if left := prometheus.Query("ply_net_seconds_bucket"); len(left) > 0 {
		t.Errorf("it keeps classic buckets, too: %v", left)
	}
}
