package exporter

import (
	"bytes"
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
func (t *mapSeries) moves() bool {
	return slices.ContainsFunc(t.m.labels, func(l label) bool {
		return t.mp.Key[l.part].Type.Display == plylang.DisplayInterface
	})
}

// formerKeys are the keys and their series of the round before.
type formerKeys struct {
	keys *keys.Table
	of   []uint32
}

// relabel lets all keys learn their labels again if those of one have moved. It
// returns what they were, nil if they still are.
func (t *mapSeries) relabel(c Contents) *formerKeys {
	if !t.moves() || c.Cleared.After(t.cleared) || !t.anyMoved(c) {
		return nil
	}
	before := &formerKeys{t.keys, t.of}
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
		now, wanted = t.appendLabels(now[:0], row.Key)
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
	for row := range c.Rows {
		was, known := before.keys.Find(row.Key)
		is, _ := t.keys.Find(row.Key)
		if !known || before.of[was] == noSeries || t.of[is] == noSeries || !t.isNew(t.of[is]) {
			continue
		}
		if from, s := &t.list[before.of[was]], &t.list[t.of[is]]; t.round-1 == from.round || t.round-1 == from.last {
			s.start = min(s.start, from.start)
		}
	}
}
