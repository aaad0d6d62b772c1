package exporter

import (
	"fmt"
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// What a histogram is exported with: its bounds as "check" shows them, and the
// numbers of the map at which its buckets end.
func TestBoundsAsked(t *testing.T) {
	tests := []struct{ script, metrics, le, ends string }{
		{`@ = lquantize(pid, 0, 100, 10);`, ``, "0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100", "[-1 0 10 20 30 40 50 60 70 80 90 100]"},
		{`@ = lquantize((s64)pid, -10, 12, 5);`, ``, "-10, -5, 0, 5, 10, 12", "[-10 -5 -1 0 5 10 12]"},
		{`@ = lquantize(time - time, 1ms, 3ms, 500us);`, ``, "0.001, 0.0015, 0.002, 0.0025, 0.003", "[-1 1000000 1500000 2000000 2500000 3000000]"},
		{`@ = llquantize(pid, 10, 0, 1, 10);`, ``, "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100",
			"[-1 1 2 3 4 5 6 7 8 9 10 20 30 40 50 60 70 80 90 100]"},
		{`@ = lquantize(pid, 0, 8, 4);`, `{map: "@", unit: seconds, scale: 0.01}`, "0, 0.04, 0.08", "[-1 0 4 8]"},
		{`@ = lquantize(pid, 0, 1000, 1);`, `{map: "@", buckets: {min: 4, max: 16}}`, "the powers of 2 from 4 to 16", "[-1 4 8 16]"},
		{`@ = quantize(time - time);`, `{map: "@", buckets: [1ms, 5ms, 10ms]}`, "0.001, 0.005, 0.01", "[-1 1000000 5000000 10000000]"},
		{`@ = quantize(pid);`, `{map: "@", buckets: [-1.5, 0, 0x10, 1Ki]}`, "-1.5, 0, 16, 1024", "[-2 -1 0 16 1024]"},
		{`@ = quantize(pid);`, `{map: "@", buckets: {min: 0, max: 4}}`, "0, the powers of 2 from 1 to 4", "[-1 0 1 2 4]"},
		{`@ = quantize(pid);`, `{map: "@", scale: 512, buckets: {min: 0, max: 2048}}`, "0, the powers of 2 from 512 to 2048", "[-1 0 1 2 4]"},
		{`@ = quantize(pid);`, `{map: "@", unit: ratio, scale: 1e-2, buckets: [0.015, 0.5]}`, "0.015, 0.5", "[-1 1 50]"},
	}
	for _, tt := range tests {
		cfg, err := config.Parse("c.yaml", []byte(oneScriptYAML(tt.metrics)))
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		scripts, fatal := compile(cfg, &fakeBackend{scripts: map[string]string{"S": on(tt.script)}})
		if len(fatal) > 0 {
			t.Errorf("%s: %s", tt.script, fatal.Detail())
			continue
		}
		c := scripts[0].compiled
		if le := c.metrics[0].bounds.text(); le != tt.le {
			t.Errorf("%s %s: le is %s, want %s", tt.script, tt.metrics, le, tt.le)
		}
		if ends := endsOf(c.object.Maps[0].Buckets); ends != tt.ends {
			t.Errorf("%s %s: buckets end at %s, want %s", tt.script, tt.metrics, ends, tt.ends)
		}
	}
}

func endsOf(b object.Buckets) string {
	var ends []string
	for i := range b.Len() - 1 {
		_, hi := b.Range(i)
		ends = append(ends, hi.String())
	}
	return fmt.Sprint(ends)
}
