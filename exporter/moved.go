package exporter

import (
	"bytes"
	"cmp"
	"slices"

	"ply-exporter/plylang"
	"ply-exporter/tracer/keys"
)

// Names that move
//
// A network interface may get another name, and its name may go to another one. So
// the labels of its keys are compared at each reading with what they are by now; those
// of other keys are made once. A series under a new name has the start of the one that
// it continues.

// moves says that the labels of a key may change.
func (m *metric) moves() bool {
	return slices.ContainsFunc(m.labels, func(l label) bool {
		return m.decl.Keys[l.part].Display == plylang.DisplayInterface
	})
}

// formerKeys are keys and their series as of an earlier round.
type formerKeys struct {
	keys  *keys.Table
	of    []uint32
	list  []series
	round uint32
	other uint32 // the series of the other keys

	unseen startTime // of keys that had no series with a start; 0 where that is not known
}

// series returns what is known of the series that a key had; nil when it had none.
func (f *formerKeys) series(key []byte) *series {
	n, known := f.keys.Find(key)
	if !known {
		return nil
	}
	return f.seriesOf(f.of[n])
}

// seriesOf returns what is known of a series.
func (f *formerKeys) seriesOf(n uint32) *series {
	switch {
	case n == noSeries && f.unseen != 0:
		return &series{start: f.unseen}
	case n == noSeries:
		return nil
	}
	s := f.list[n]
	if f.round != s.round && f.round != s.last {
		return nil
	}
	s.start = cmp.Or(s.start, f.unseen)
	return &s
}

// goOn lets a series go on where another one was, if there was one.
func (s *series) goOn(was *series) {
	if was != nil {
		s.start, s.coarser = min(s.start, was.start), max(s.coarser, was.coarser)
	}
}

// relabel lets all keys learn their labels again if those of one have moved. It
// returns what they were, nil if they still are.
func (t *mapSeries) relabel(c Contents) *formerKeys {
	if t.ledger != nil || !t.m.moves() || c.Cleared.After(t.cleared) || !t.anyMoved(c) {
		return nil
	}
	before := &formerKeys{keys: t.keys, of: t.of, round: t.round - 1, other: t.other}
	t.keys, t.of = keys.New(t.mp.KeySize), nil
	return before
}

func (t *mapSeries) anyMoved(c Contents) bool {
	var now []byte
	for row := range c.Rows {
		n, known := t.keys.Find(row.Key)
		if !known {
			continue
		}
		var wanted bool
		now, wanted, _ = t.appendLabels(now[:0], row.Key)
		of := t.of[n]
		if wanted != (of != noSeries) || wanted && !bytes.Equal(now, t.labels(of)) {
			return true
		}
	}
	return false
}

// inherit gives series that are new in this round the start of those whose keys they
// have now.
func (t *mapSeries) inherit(before *formerKeys, c Contents) {
	if before == nil || !t.m.starts() {
		return
	}
	if before.list == nil { // the same ones
		before.list = t.list
	}
	for row := range c.Rows {
		is, _ := t.keys.Find(row.Key)
		of := t.of[is]
		if of != noSeries && t.ledger != nil {
			of = t.ledger.countsIn(t, of)
		}
		if of != noSeries && t.isNew(of) {
			t.list[of].goOn(before.series(row.Key))
		}
	}
	if c.Other != nil && before.other != noSeries && t.isNew(t.other) {
		t.list[t.other].goOn(before.seriesOf(before.other))
	}
}
