package exporter

import "slices"

// Expired keys
//
// Keys whose labels come out equal share one series. When one of them expires, what it
// has counted stays in the series as its base, as long as there are others: the series
// would fall, and Prometheus would take that for a reset, and what is left of the value
// for an increase. A series whose keys are all gone is gone, with its base. If a key
// comes back then, the series starts anew.
//
// A key that expired and came back between two readings is such a key, too: its series
// goes on from where it was.
//
// The series of a ledger are what keys have grown by, and need no base.

// accumulateExpired takes in what keys had that have expired since the last reading.
func (t *mapSeries) accumulateExpired(c Contents) {
	if t.mp.Expiry == nil || !t.m.starts() || t.ledger != nil {
		return
	}
	t.takeBases()
	for _, row := range c.Expired {
		if n, ok := t.seriesOf(row.Key); ok && t.mp.Written(1, row.Value) {
			t.mp.Reduce.Join(t.base(n), row.Value)
		}
	}
	t.past = false
	if t.bases == nil {
		return
	}
	for i := range t.list {
		base := t.base(uint32(i))
		if t.list[i].round == t.round {
			t.mp.Reduce.Join(t.value(uint32(i)), base)
			t.past = t.past || slices.ContainsFunc(base, func(b byte) bool { return b != 0 })
		} else {
			clear(base)
		}
	}
}

// base is what the expired keys of a series had.
func (t *mapSeries) base(n uint32) []byte {
	if more := t.mp.Size*len(t.list) - len(t.bases); more > 0 {
		t.bases = append(t.bases, make([]byte, more)...)
	}
	return t.valueIn(t.bases, n)
}

// seriesOf is the series of a key that has expired, if it is there.
func (t *mapSeries) seriesOf(key []byte) (uint32, bool) {
	if n, known := t.keys.Find(key); known {
		return t.of[n], t.of[n] != noSeries
	}
	labels, wanted, _ := t.appendLabels(nil, key)
	if !wanted {
		return 0, false
	}
	return t.withLabels(labels)
}

// withLabels is the series with these labels.
func (t *mapSeries) withLabels(labels []byte) (uint32, bool) {
	at, found := t.find(labels)
	if !found {
		return 0, false
	}
	return t.order[at], true
}

// takeBases takes the bases of other series of the same map: those before a reload, or
// those that scrapes show.
func (t *mapSeries) takeBases() {
	if t.scraped == nil || t.scraped.bases == nil || t.bases != nil {
		return
	}
	for _, n := range t.scraped.present() {
		if here, ok := t.withLabels(t.scraped.labels(n)); ok {
			copy(t.base(here), t.scraped.base(n))
		}
	}
}

// takeExpired adds to series what their keys had grown by when they expired. One that is
// there again begins with nothing.
func (l *ledger) takeExpired(t *mapSeries, c Contents) {
	if !l.adds {
		return
	}
	for _, row := range c.Expired {
		n, known := t.keys.Find(row.Key)
		if !known || l.keys[n].round != t.round-1 {
			continue
		}
		last := l.lastOf(n)
		if of := t.of[n]; of != noSeries && l.difference(row.Value, last) && l.lives(of) {
			l.touch(of)
			l.post(t, of, row.Value)
		}
		t.past = t.past || t.of[n] != noSeries
		clear(last)
	}
}
