package exporter

import (
	"bytes"
	"sort"

	"ply-exporter/bpfgen/object"
)

// Evicting maps
//
// Each CPU keeps some free entries of a kernel's LRU map to itself, so the map
// must be larger than what the user allows, or keys would be evicted long before
// it is full. The surplus, which grows with the CPUs, holds keys too. As many
// series as the user allows are exported, those whose value changed last. Of
// those that changed between the same two readings, the ones that were exported
// before stay, so that more active keys than allowed do not come and go at each
// scrape.
//
// What is not exported is still counted, and keeps its start: when it is
// exported again, Prometheus sees all that it has grown by.

// evicts says that there can be more keys in the map than may be exported.
func (t *mapSeries) evicts() bool { return t.m.exported && t.mp.Storage == object.LRUHash }

// shows says whether a scrape has exported the series with these labels, for
// the status page, which reads by itself and has seen no value change.
func (t *mapSeries) shows(labels []byte) bool {
	c := t.scraped
	if c == nil {
		return false
	}
	i, ok := c.find(labels)
	if !ok {
		return false
	}
	s := c.list[c.order[i]]
	return s.round == c.round && !s.hidden
}

// hide chooses which series of this round are exported.
func (t *mapSeries) hide() {
	t.shown = t.count
	if !t.evicts() {
		return
	}
	list := t.present()
	for _, n := range list {
		s := &t.list[n]
		if t.isNew(n) {
			s.hidden = !t.shows(t.labels(n)) // a new one waits for a free place
		}
		if t.isNew(n) || !bytes.Equal(t.was.at(n), t.value(n)) {
			s.changed = t.round
		}
	}
	sort.SliceStable(list, func(i, j int) bool {
		a, b := &t.list[list[i]], &t.list[list[j]]
		if a.changed != b.changed {
			return a.changed > b.changed
		}
		return !a.hidden && b.hidden
	})
	t.shown = min(t.count, t.mp.MaxEntries)
	for i, n := range list {
		t.list[n].hidden = i >= t.shown
	}
}
