package bpfgen

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/live"
)

// BenchmarkNativeHistogram compares what an event costs that a native histogram
// counts with one of a classic histogram, both of durations by key: durations that
// hardly differ, and such as are spread over a dozen octaves.
func BenchmarkNativeHistogram(b *testing.B) {
	var powers []*big.Int // 2^-20 to 2^4 seconds
	for i := range 25 {
		powers = append(powers, new(big.Int).Rsh(big.NewInt(1e9<<i), 20))
	}
	all := []object.Buckets{object.NewBounds(powers)}
	for schema := range 5 {
		all = append(all, object.NewExponential(schema, 0, big.NewRat(1, 1e9), true, powers))
	}
	for name, x := range map[string]string{"alike": "(rand & 0xff) + 20000", "spread": "(rand & 0xffff) * (rand & 0x3fff) + 1000"} {
		b.Run(name, func(b *testing.B) {
			var programs []*ebpf.Program
			for _, buckets := range all {
				programs = append(programs, countingProgram(b, x, buckets))
			}
			least := leastTimes(b, programs)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(least[0]), "ns/classic")
			for schema, d := range least[1:] {
				b.ReportMetric(float64(d)/float64(least[0]), fmt.Sprintf("ratio/schema-%d", schema))
			}
		})
	}
}

func countingProgram(b *testing.B, x string, buckets object.Buckets) *ebpf.Program {
	o := compile(b, live.Kernel(b), fmt.Sprintf("BEGIN { @[pid] = quantize((s64)(%s)); }", x), Options{Maps: map[string]MapOptions{"@": {Buckets: buckets}}})
	name := o.Programs[0].Name
	o.Spec.Programs[name].Type = ebpf.SchedCLS // the kernel runs it often for one call
	return load(b, o).coll.Programs[name]
}

// leastTimes runs programs in turn.
func leastTimes(b *testing.B, programs []*ebpf.Program) []time.Duration {
	least := make([]time.Duration, len(programs))
	for range max(30, b.N) {
		for i, p := range programs {
			_, took, err := p.Benchmark(make([]byte, 14), 50_000, nil)
			if err != nil {
				b.Fatal(err)
			}
			if took < least[i] || least[i] == 0 {
				least[i] = took
			}
		}
	}
	return least
}
