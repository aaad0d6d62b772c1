package values

import (
	"testing"

	"ply-exporter/internal/need"
	"ply-exporter/internal/promtest"
)

// All configurations run together, and promtool has nothing to say of what they
// export.
func TestServedTogether(t *testing.T) {
	need.BPF(t)
	text := serve(t, loadAll(t)).text(t)
	if err := promtest.CheckMetrics(t, text); err != nil {
		t.Error(err)
	}
}

// Every script of the folder runs beside all others, in every kernel.
func TestRunTogether(t *testing.T) {
	need.EachKernel(t)
	all := loadAll(t)
	got := serve(t, all).scrape(t)
	if up := ours("ply_script_up").of(got); up != float64(len(all.Scripts)) {
		t.Errorf("%v of %d scripts run", up, len(all.Scripts))
	}
	if dropped := ours("ply_map_dropped_total").of(got); dropped != 0 {
		t.Errorf("%v updates were dropped", dropped)
	}
}
