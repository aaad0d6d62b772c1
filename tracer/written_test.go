package tracer

import (
	"testing"

	"ply-exporter/internal/need"
)

// A histogram whose key is there before its first number is no row, and a
// cell that nothing was counted in is none.
func TestRowsNotWritten(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	b := newObject("")
	histogram, cell := b.addMap(histogramMap()), b.addMap(cellMap())
	tr := start(t, b.build(), testOptions(t))
	value := make([]uint64, 9)
	for key, first := range []uint64{0, 1} {
		value[1] = first
		if err := tr.maps[histogram.ID].kernel.Put(uint64(key), value); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time, keys are known
		if got := counts(t, tr, histogram, 1); len(got) != 1 || got[1] != 1 {
			t.Errorf("histogram: %v, want one number at 1", got)
		}
		if got := counts(t, tr, cell, 0); len(got) != 0 {
			t.Errorf("cell: %v, want nothing", got)
		}
	}
}
