package exporter

import (
	"bytes"
	"slices"
	"time"

	"ply-exporter/bpfgen/object"
)

// The largest series
//
// With "top: 20" the series of twenty keys are exported, those that have counted most,
// and all others are one, whose labels say "other". Which keys are among the twenty
// changes; by a ledger every event is in the increase of one series, so that sums of
// rates are right:
//
//   - A key that gets a place after it has counted among the others begins at 0: what it
//     had stays there. One that is new begins with all that it has, as the series of any
//     key does, with a start before.
//   - A key that loses its place counts among the others from then on. Its series stays
//     for some minutes as it was, so that whoever else scrapes sees its last number, too,
//     and goes on if the key is among the largest again.
//
// A key takes the place of another one only if it has counted a tenth more than that. As
// totals only grow, places change less and less often.

// A place is what a series has among the largest ones.
type place uint8

// The places.
const (
	noPlace  place = iota
	hasPlace       // its keys count in it
	hadPlace       // it is shown for some minutes more
)

// topLinger is how long series stay that are no longer among the largest.
const topLinger = 5 * time.Minute

// whole is the metric with all its series.
func (m *metric) whole() *metric {
	all := *m
	all.top = 0
	return &all
}

// countsIn is the series in which keys of a series count.
func (l *ledger) countsIn(t *mapSeries, of uint32) uint32 {
	if l.most == 0 || of == t.other || l.series[of].place == hasPlace {
		return of
	}
	t.needOther()
	return t.other
}

// choose gives places to the largest series that have none: free ones, and those of
// others that are much smaller, unless too many have lost theirs a short time ago. What
// has no key any more loses its place.
func (l *ledger) choose(t *mapSeries) {
	if t.other == noSeries {
		t.other = t.labeledOther()
	}
	have, had := l.places(t)
	for _, n := range t.rank(l.most, func(n uint32) bool { return n != t.other && l.series[n].round == t.round }, func(n uint32) float64 { return l.series[n].weight }) {
		s := &l.series[n]
		if s.place == hasPlace {
			continue
		}
		if len(have) == l.most {
			i := l.least(t, have)
			least := &l.series[have[i]]
			if had >= l.most || 10*s.weight <= 11*least.weight {
				break
			}
			least.place, least.left = hadPlace, l.now
			have = slices.Delete(have, i, i+1)
			had++
		}
		if s.place == hadPlace {
			had--
		}
		s.place = hasPlace
		have = append(have, n)
		l.show(t, n)
	}
}

// places returns the series that have places, and how many had some lately.
func (l *ledger) places(t *mapSeries) (have []uint32, had int) {
	var lost []*ledgerSeries
	for i := range l.series {
		s := &l.series[i]
		switch {
		case s.place == noPlace:
			continue
		case uint32(i) == t.other:
			s.place = noPlace
		case s.place == hasPlace && s.round == t.round:
			have = append(have, uint32(i))
		case s.place == hasPlace:
			s.place, s.left = hadPlace, l.now
			fallthrough
		default:
			lost = append(lost, s)
		}
	}
	slices.SortStableFunc(lost, func(a, b *ledgerSeries) int { return int(b.left - a.left) })
	for i, s := range lost {
		if i >= l.most || l.now-s.left > max(l.ttl, topLinger) {
			s.place = noPlace
			continue
		}
		had++
	}
	return have, had
}

// least is which of the series is the smallest.
func (l *ledger) least(t *mapSeries, list []uint32) (at int) {
	for i, n := range list {
		w, than := l.series[n].weight, l.series[list[at]].weight
		if w < than || w == than && bytes.Compare(t.labels(n), t.labels(list[at])) > 0 {
			at = i
		}
	}
	return at
}

// weight is by how much a value makes a key one of the largest: how often it has
// counted, or the number that it is.
func (t *mapSeries) weight(value []byte) float64 {
	switch t.mp.Shape {
	case object.ShapeHistogram:
		return float64(t.mp.Count(value))
	case object.ShapeMean:
		return float64(t.mp.Read(value).Count)
	}
	return t.scalar(t.mp.Read(value))
}

// hideSmall hides all but the largest series of a metric that does not count, and that
// of all others.
func (t *mapSeries) hideSmall() {
	if t.m.top == 0 || t.ledger != nil && t.ledger.most > 0 {
		return
	}
	if !t.evicts() {
		for i := range t.list {
			t.list[i].hidden = false
		}
	}
	other := t.labeledOther()
	shown := map[uint32]bool{}
	for _, n := range t.rank(t.m.top, func(n uint32) bool { return n != other && t.isShown(n) }, func(n uint32) float64 { return t.weight(t.value(n)) }) {
		shown[n] = true
	}
	if t.other != noSeries && t.list[t.other].round == t.round {
		shown[t.other] = true
	}
	for i := range t.list {
		s := &t.list[i]
		s.hidden = s.hidden || !shown[uint32(i)]
	}
	t.shown = len(shown)
}
