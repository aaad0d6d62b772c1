package exporter

import (
	"testing"
	"time"

	"ply-exporter/bpfgen/object"
)

// Hashes that are not exported are read once a minute, all others for each scrape.
func TestDue(t *testing.T) {
	now := time.Now()
	for _, row := range []struct {
		name     string
		exported bool
		mp       object.Map
		readAt   time.Time
		want     bool
	}{
		{"never read", false, object.Map{Storage: object.LRUHash}, time.Time{}, true},
		{"just read", false, object.Map{Storage: object.LRUHash}, now.Add(-15 * time.Second), false},
		{"read a minute ago", false, object.Map{Storage: object.LRUHash}, now.Add(-time.Minute), true},
		{"exported", true, object.Map{Storage: object.LRUHash}, now.Add(-15 * time.Second), true},
		{"cleared", false, object.Map{Storage: object.LRUHash, ClearID: 1}, now.Add(-15 * time.Second), true},
		{"in memory", false, object.Map{Storage: object.Cell}, now.Add(-15 * time.Second), true},
	} {
		s := &mapSeries{m: &metric{exported: row.exported}, mp: &row.mp, readAt: row.readAt}
		if got := s.due(now); got != row.want {
			t.Errorf("%s: due is %v", row.name, got)
		}
	}
}
