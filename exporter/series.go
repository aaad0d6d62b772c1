package exporter

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"

	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/encode"
	"ply-exporter/tracer/decode"
)

// A mapSeries keeps what is known of a metric's series between scrapes: the labels
// of each key, so that they are made and sorted once in a key's life. Keys
// whose labels come out equal share one series and are added together.
type mapSeries struct {
	m      *metric
	mp     *object.Map
	text   func(object.Value) string
	byKey  map[string]*series
	byText map[string]*series
	sorted []*series
	order  []int // of the metric's labels by name
	round  uint32
	count  int    // how many series this round has
	shown  int    // how many of them are exported
	fold   []int  // histograms: the exported bucket of each of the map's
	values []byte // those of all series of this round, in one piece
	was    []byte // those of the round before, where they are compared

	negative int // histograms: how many of the map's buckets, the first ones, are of negative numbers

	cleared time.Time // as of the last reading
}

// present returns the series of this round, in the order of their labels.
func (t *mapSeries) present() []*series {
	out := make([]*series, 0, t.count)
	for _, s := range t.sorted {
		if s.round == t.round {
			out = append(out, s)
		}
	}
	return out
}

// current returns those that are exported.
func (t *mapSeries) current() []*series {
	return slices.DeleteFunc(t.present(), func(s *series) bool { return s.hidden })
}

// A series is one line of a metric, or the lines of one histogram.
type series struct {
	labels []byte    // as the encoder wants them; unique within the map
	start  startTime // of what is a counter, a summary or a histogram
	round  uint32    // when it was last seen
	at     int32     // which of that round's values it has
	before int32     // which of those of the round before; none if it was not there

	changed uint32 // of an evicting map: when the value changed last
	hidden  bool   // and whether it is left out; see hide
}

// none is the number of no value.
const none = -1

func newMapSeries(m *metric, mp *object.Map, text func(object.Value) string) *mapSeries {
	return &mapSeries{m: m, mp: mp, text: text, byKey: map[string]*series{}, byText: map[string]*series{}, order: m.byName()}
}

// update takes in what was read: one round. Series that are new start at from.
func (t *mapSeries) update(c Contents, from origin) {
	rows := c.Rows
	t.round++
	t.count = 0
	if t.m.starts() || t.evicts() {
		t.values, t.was = t.was, t.values
	}
	t.values = slices.Grow(t.values[:0], t.mp.Size*(len(rows)+1))
	fresh := len(t.sorted)
	for _, row := range rows {
		s := t.byKey[string(row.Key)]
		if s == nil {
			s = t.learn(row.Key)
		}
		t.accumulate(s, row.Value)
	}
	if len(rows) == 0 && t.mp.StartsAtZero && len(t.m.labels) == 0 {
		t.enter(t.learn(nil))
	}
	if len(t.sorted) > fresh {
		slices.SortFunc(t.sorted, func(a, b *series) int { return bytes.Compare(a.labels, b.labels) })
	}
	t.setStarts(c.Cleared, from)
	t.hide()
	t.forget(rows)
}

// enter gives a series a value of zeros in this round.
func (t *mapSeries) enter(s *series) {
	s.before = none
	if s.round == t.round-1 {
		s.before = s.at
	}
	s.round, s.at = t.round, int32(t.count)
	t.count++
	n := len(t.values)
	t.values = slices.Grow(t.values, t.mp.Size)[:n+t.mp.Size]
	clear(t.values[n:])
}

// accumulate joins a value to that of a series: to nothing when the series is
// new in this round.
func (t *mapSeries) accumulate(s *series, value []byte) {
	if s.round != t.round {
		t.enter(s)
		copy(t.value(s), value)
		return
	}
	t.mp.Reduce.Join(t.value(s), value)
}

// value is that of a series of this round, as the map has it.
func (t *mapSeries) value(s *series) []byte { return t.valueIn(t.values, s.at) }

func (t *mapSeries) valueIn(values []byte, i int32) []byte {
	from, to := int(i)*t.mp.Size, int(i+1)*t.mp.Size
	return values[from:to:to]
}

// read returns what the series' value is.
func (t *mapSeries) read(s *series) object.Reading { return t.mp.Read(t.value(s)) }

// learn makes the labels of a key that was not seen before.
func (t *mapSeries) learn(key []byte) *series {
	values := t.labelValues(key)
	var labels []byte
	for _, i := range t.order {
		labels = encode.AppendLabel(labels, 0, t.m.labels[i].name, values[i])
	}
	s := t.byText[string(labels)]
	if s == nil {
		s = &series{labels: labels, at: none}
		t.byText[string(labels)] = s
		t.sorted = append(t.sorted, s)
	}
	t.byKey[string(key)] = s
	return s
}

func (t *mapSeries) labelValues(key []byte) []string {
	values := make([]string, len(t.m.labels))
	if len(values) == 0 {
		return values
	}
	parts := t.mp.Split(key)
	for i, l := range t.m.labels {
		text := decode.ForLabel.Escape(t.text(parts[l.part]))
		if name, ok := l.names[text]; ok {
			text = name
		}
		values[i] = text
	}
	return values
}

// forget drops keys and series that are gone, once they are more than those
// that are there.
func (t *mapSeries) forget(rows []Row) {
	if len(t.byKey) <= 2*len(rows)+1024 {
		return
	}
	byKey := make(map[string]*series, len(rows))
	for _, row := range rows {
		byKey[string(row.Key)] = t.byKey[string(row.Key)]
	}
	t.byKey = byKey
	gone := func(s *series) bool { return s.round != t.round }
	maps.DeleteFunc(t.byText, func(_ string, s *series) bool { return gone(s) })
	t.sorted = slices.DeleteFunc(t.sorted, gone)
}

// byName returns the metric's labels in the order of their names, in which they
// are written.
func (m *metric) byName() []int {
	order := make([]int, len(m.labels))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(m.labels[a].name, m.labels[b].name) })
	return order
}

// valuesOf returns the values of a series' labels, in the order of the keys.
func (t *mapSeries) valuesOf(s *series) []string {
	values, next := make([]string, len(t.order)), 0
	for _, value := range encode.Labels(s.labels) {
		values[t.order[next]] = value
		next++
	}
	return values
}
