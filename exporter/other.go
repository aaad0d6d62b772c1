package exporter

import (
	"bytes"
	"slices"

	"ply-exporter/exporter/encode"
)

// Other keys
//
// What belongs to keys for which a map has no room is one series, whose labels all say
// "other"; see object.Overflow. It is there once there was such a key. A key of the map
// whose labels say so, too, is added to it, as keys with equal labels are.

// otherLabel is the value of all labels of what has no room in a map, and of labels of
// what is not told apart.
const otherLabel = "other"

// accumulateOther takes in the value of the other keys.
func (t *mapSeries) accumulateOther(c Contents) {
	if c.Other == nil {
		return
	}
	t.needOther()
	if t.ledger != nil {
		t.ledger.countOther(t, c.Other)
		return
	}
	t.accumulate(t.other, c.Other)
}

// needOther makes the series of the other keys if there is none.
func (t *mapSeries) needOther() {
	if t.other == noSeries {
		t.other = t.addOther()
		t.makeRoom()
	}
}

// addOther returns the series of the other keys, which a key may have made already.
func (t *mapSeries) addOther() uint32 {
	labels := t.otherLabels()
	at, found := t.find(labels)
	if !found {
		t.order = slices.Insert(t.order, at, t.add(labels))
	}
	return t.order[at]
}

// labeledOther is the series whose labels all say "other", if there is one.
func (t *mapSeries) labeledOther() uint32 {
	if at, found := t.find(t.otherLabels()); found {
		return t.order[at]
	}
	return noSeries
}

func (t *mapSeries) otherLabels() (labels []byte) {
	for _, i := range t.names {
		labels = encode.AppendLabel(labels, 0, t.m.labels[i].name, otherLabel)
	}
	return labels
}

// find returns where in their order the series with these labels is, or belongs.
func (t *mapSeries) find(labels []byte) (at int, found bool) {
	return slices.BinarySearchFunc(t.order, labels, func(n uint32, l []byte) int { return bytes.Compare(t.labels(n), l) })
}
