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
