package exporter

import (
	"bytes"
	"math"
	"slices"
	"sort"

	"ply-exporter/exporter/encode"
)

// A lesson is what is new in a round: the labels of keys that are to be learned.
type lesson struct {
	texts []byte // side by side
	keys  []newKey
}

// A newKey has the number of a key and where its labels are.
type newKey struct{ number, begin, end uint32 }

// noSeries is the series of a key that is not exported.
const noSeries = math.MaxUint32

func (l *lesson) labels(k newKey) []byte { return l.texts[k.begin:k.end] }

// note makes the labels of a key. Unless they are settled, they may be others later.
func (t *mapSeries) note(l *lesson, n int, key []byte) (settled bool) {
	begin := len(l.texts)
	texts, wanted, settled := t.appendLabels(l.texts, key)
	if t.of[n] = noSeries; wanted {
		l.texts = texts
		l.keys = append(l.keys, newKey{uint32(n), uint32(begin), uint32(len(l.texts))})
	}
	return settled
}

// appendLabels appends the labels of a key, as the encoder wants them, if it is
// exported.
func (t *mapSeries) appendLabels(texts []byte, key []byte) (_ []byte, wanted, settled bool) {
	values, wanted, settled := t.labelValues(key)
	if !wanted {
		return texts, false, settled
	}
	begin := len(texts)
	for _, i := range t.names {
		texts = encode.AppendLabel(texts, begin, t.m.labels[i].name, values[i])
	}
	return texts, true, settled
}

// learn gives each new key its series: one that has its labels, or a new one.
// Both are gone through in the order of their labels.
func (t *mapSeries) learn(l *lesson) {
	if len(l.keys) == 0 {
		return
	}
	slices.SortFunc(l.keys, func(a, b newKey) int { return bytes.Compare(l.labels(a), l.labels(b)) })
	t.list, t.texts = slices.Grow(t.list, len(l.keys)), slices.Grow(t.texts, len(l.texts))
	old, order := t.order, make([]uint32, 0, len(t.order)+len(l.keys))
	for _, k := range l.keys {
		labels := l.labels(k)
		for len(old) > 0 && bytes.Compare(t.labels(old[0]), labels) <= 0 {
			order, old = append(order, old[0]), old[1:]
		}
		if last := len(order) - 1; last < 0 || !bytes.Equal(t.labels(order[last]), labels) {
			order = append(order, t.add(labels))
		}
		t.of[k.number] = order[len(order)-1]
	}
	t.order = append(order, old...)
}

// add makes a series, which is in no order yet.
func (t *mapSeries) add(labels []byte) uint32 {
	t.texts = append(t.texts, labels...)
	t.list = append(t.list, series{end: uint32(len(t.texts)), round: never})
	return uint32(len(t.list) - 1)
}

// labels returns those of a series, as the encoder wants them.
func (t *mapSeries) labels(n uint32) []byte {
	begin, end := uint32(0), t.list[n].end
	if n > 0 {
		begin = t.list[n-1].end
	}
	return t.texts[begin:end:end]
}

// labelValues are those of a key, in the order of the metric's labels; wanted is
// false where the key is not exported.
func (t *mapSeries) labelValues(key []byte) (values []string, wanted, settled bool) {
	values = make([]string, len(t.m.labels))
	if len(values) == 0 {
		return values, true, true
	}
	parts, groups := t.mp.Split(key), newGroupReader(t.tracer)
	wanted = true
	for i := range t.m.labels {
		l := &t.m.labels[i]
		var matches bool
		values[i], matches = l.value(groups.text(l, parts))
		wanted = wanted && matches
	}
	return values, wanted, groups.settled
}

// byName returns the metric's labels in the order of their names, in which they
// are written.
func (m *metric) byName() []int {
	order := make([]int, len(m.labels))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(i, j int) bool { return m.labels[order[i]].name < m.labels[order[j]].name })
	return order
}

// valuesOf returns the values of a series' labels, in the order of the keys.
func (t *mapSeries) valuesOf(n uint32) []string {
	values, next := make([]string, len(t.names)), 0
	for _, value := range encode.Labels(t.labels(n)) {
		values[t.names[next]] = value
		next++
	}
	return values
}
