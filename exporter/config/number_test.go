package config

import (
	"math/big"
	"testing"
)

// A number is the same one wherever it stands.
func TestOneReaderOfNumbers(t *testing.T) {
	for text, want := range map[string]int64{"10": 10, "010": 8, "0x1F": 31, "0o17": 15, "0b101": 5} {
		cfg, err := Parse("c.yaml", []byte(metricYAML("max_entries: "+text+", scale: "+text+", buckets: {min: "+text+", max: "+text+"Ki}")))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		m := cfg.Scripts[0].Metrics[0]
		n := big.NewRat(want, 1)
		if m.MaxEntries != int(want) || m.Scale.Cmp(n) != 0 || m.Buckets.Min.Number.Cmp(n) != 0 {
			t.Errorf("%s: max_entries %d, scale %s, min %s", text, m.MaxEntries, m.Scale, m.Buckets.Min.Number)
		}
		if got := m.Buckets.Max.Number; got.Cmp(new(big.Rat).Mul(n, big.NewRat(1024, 1))) != 0 {
			t.Errorf("%s: max %s", text, got)
		}
	}
}
