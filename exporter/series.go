package exporter

import (
	"math"
	"slices"
	"time"

	"ply-exporter/bpfgen/object"
	"ply-exporter/tracer/keys"
)

// A mapSeries keeps what is known of a metric's series between scrapes: the labels
// of each key, so that they are made and sorted once in a key's life. Keys
// whose labels come out equal share one series and are added together.
//
// There may be 100,000 of them. They have numbers, and no pointers: the garbage
// collector has nothing to go through, and what belongs together lies together.
type mapSeries struct {
	m      *metric
	mp     *object.Map
	tracer labelNames

	keys  *keys.Table
	of    []uint32 // the series of each key
	list  []series
	texts []byte   // the labels of all series, side by side
	order []uint32 // series by their labels

	round uint32
	count int // how many series this round has
	shown int // how many of them are exported

	keysRead int       // how many keys the map had
	readAt   time.Time // when that was

	filtered int // how many keys this round has that are not exported

	other uint32 // the series of keys for which the map has no room; noSeries until there is one

	values valueList // by series
	was    valueList // the values of the round before, where they are compared
	past   bool      // of a map that loses keys: a series has counts that the map has not

	expired []Row // what has expired and the process before has not counted, until the first reading

	names    []int // the metric's labels in the order of their names
	fold     []int // histograms: the exported bucket of each of the map's
	negative int   // histograms: how many of the map's buckets, the first ones, are of negative numbers

	native  []nativeBucket // histograms that have native buckets: where the map's buckets go
	counts  []object.Count // histograms: those of the series that is being written
	coarser *uint8         // how much coarser that is

	cleared time.Time   // as of the last reading
	scraped *mapSeries  // of the status page's: those of the scrapes; or those before a reload
	former  *formerKeys // until the first reading after a reload

	ledger *ledger // where series are not the sums of what their keys have; nil elsewhere
}

// A series is one line of a metric, or the lines of one histogram.
type series struct {
	start startTime // of what is a counter, a summary or a histogram
	end   uint32    // of its labels in texts; they begin where those of the series before end
	round uint32    // when it was last seen
	last  uint32    // when it was seen before that

	changed uint32 // of an evicting map: when the value changed last
	hidden  bool   // and whether it is left out; see hide

	past    bool  // it has counts that its keys do not have
	coarser uint8 // by how much its native schema is lower than its metric's
}

// never is no round.
const never = math.MaxUint32

func newMapSeries(m *metric, mp *object.Map, names labelNames) *mapSeries {
	return &mapSeries{
		m: m, mp: mp, tracer: names, keys: keys.New(mp.KeySize), names: m.byName(), other: noSeries,
		values: newValueList(mp), was: newValueList(mp), ledger: newLedger(m, mp),
	}
}

// present returns the series of this round, in the order of their labels.
func (t *mapSeries) present() []uint32 {
	out := make([]uint32, 0, t.count)
	for _, n := range t.order {
		if t.list[n].round == t.round {
			out = append(out, n)
		}
	}
	return out
}

// isNew says that a series of this round was not there in the one before.
func (t *mapSeries) isNew(n uint32) bool { return t.list[n].last != t.round-1 }

// update takes in what was read: one round. Series that are new start at from.
func (t *mapSeries) update(c Contents, from origin) {
	if c.Len == 0 && t.mp.StartsAtZero && len(t.m.labels) == 0 {
		zero := Row{Key: make([]byte, t.mp.KeySize), Value: t.mp.Nothing()}
		c.Rows, c.Len = slices.Values([]Row{zero}), 1
	}
	c.Expired, t.expired = slices.Concat(t.expired, c.Expired), nil
	before := t.begin(c)
	t.addUp(c)
	t.settle(c, before, from)
	t.forget(c)
	if t.former != nil {
		t.former, t.scraped = nil, nil
	}
}

// begin begins a round, and returns what the series were before it if they have other
// names now.
func (t *mapSeries) begin(c Contents) (before *formerKeys) {
	t.round++
	t.count, t.filtered = 0, 0
	switch {
	case t.ledger != nil:
		t.ledger.begin(t, c)
	case t.m.starts() || t.evicts():
		t.values, t.was = t.was, t.values
		t.values.reset()
	}
	t.makeRoom()
	if t.former != nil {
		return t.former
	}
	return t.relabel(c)
}

// addUp adds up what was read, by series.
func (t *mapSeries) addUp(c Contents) {
	if t.ledger != nil {
		t.enter(c)
		return
	}
	known := t.keys.Len()
	t.accumulateOld(c)
	if t.keys.Len() > known {
		t.makeRoom()
		t.accumulateFrom(c, known)
	}
	t.accumulateOther(c)
}

// enter enters what was read in the ledger: first the keys that were there before, where
// they were counted then; places among the largest are chosen before new ones count.
func (t *mapSeries) enter(c Contents) {
	l := t.ledger
	l.countExpired(t, c)
	waiting := false
	var news lesson
	for row := range c.Rows {
		if n := t.keyNumber(&news, row.Key); l.knows(t, n) {
			l.weigh(t, n, row.Value)
			l.count(t, n, row.Value)
		} else {
			waiting = true
		}
	}
	t.learn(&news)
	t.makeRoom()
	wait := func(do func(t *mapSeries, n int, value []byte)) {
		for row := range c.Rows {
			if n, _ := t.keys.Find(row.Key); l.keys[n].round != t.round {
				do(t, n, row.Value)
			}
		}
	}
	if waiting {
		wait(l.weigh)
	}
	if l.most > 0 {
		l.choose(t)
	}
	if waiting {
		wait(l.count)
	}
	t.accumulateOther(c)
	l.end(t)
}

// settle decides when series started, and which of them are exported.
func (t *mapSeries) settle(c Contents, before *formerKeys, from origin) {
	t.setStarts(c.Cleared, from)
	t.inherit(before, c)
	t.hide()
	t.hideSmall()
}

// makeRoom makes room for a value of each series.
func (t *mapSeries) makeRoom() {
	t.values.grow(len(t.list))
	if t.ledger != nil {
		t.ledger.makeRoom(len(t.list))
	}
}

// accumulateOld takes in the values of keys that are known, and learns the others.
func (t *mapSeries) accumulateOld(c Contents) {
	var news lesson
	for row := range c.Rows {
		known := t.keys.Len()
		if n := t.keyNumber(&news, row.Key); n < known {
			t.accumulate(t.of[n], row.Value)
		}
	}
	t.learn(&news)
}

// keyNumber returns the number of a key, whose labels are noted if it is new.
func (t *mapSeries) keyNumber(news *lesson, key []byte) int {
	n, fresh := t.keys.Number(key)
	if fresh {
		t.of = append(t.of, noSeries)
		settled := t.note(news, n, key)
		if t.ledger != nil {
			t.ledger.add(settled)
		}
	}
	return n
}

// accumulateFrom takes in the values of keys that have that number or a higher
// one.
func (t *mapSeries) accumulateFrom(c Contents, first int) {
	for row := range c.Rows {
		if n, _ := t.keys.Number(row.Key); n >= first {
			t.accumulate(t.of[n], row.Value)
		}
	}
}

// accumulate joins a value to that of a series: to nothing when the series is
// new in this round. Of values that are no numbers, such as the strings of a table
// on the status page, one is kept.
func (t *mapSeries) accumulate(n uint32, value []byte) {
	if n == noSeries {
		t.filtered++
		return
	}
	s := &t.list[n]
	if s.round == t.round {
		if t.mp.Shape != object.ShapeRaw || t.mp.Value.Integer() {
			t.values.join(n, value)
		}
		return
	}
	s.last, s.round = s.round, t.round
	t.count++
	t.values.set(n, value)
}

// value is that of a series of this round, as it was read.
func (t *mapSeries) value(n uint32) []byte { return t.values.at(n) }

// read returns what the series' value is.
func (t *mapSeries) read(n uint32) object.Reading { return t.mp.Read(t.value(n)) }

// forget drops keys and series that are gone, once they are more than those
// that are there.
func (t *mapSeries) forget(c Contents) {
	if max(t.keys.Len(), len(t.list)) <= 2*max(c.Len, t.count)+1024 {
		return
	}
	old := *t
	t.list, t.texts, t.values, t.order = nil, nil, newValueList(t.mp), nil
	number, kept := make([]uint32, len(old.list)), old.kept(c)
	for i := range number {
		number[i] = noSeries
	}
	for _, n := range old.order {
		if !kept[n] {
			continue
		}
		number[n] = t.add(old.labels(n))
		s := old.list[n]
		s.end = uint32(len(t.texts))
		t.list[number[n]] = s
		t.order = append(t.order, number[n])
		t.values.grow(len(t.list))
		t.values.set(number[n], old.value(n))
	}
	if t.other != noSeries && old.list[t.other].round == t.round {
		t.other = number[t.other]
	} else {
		t.other = noSeries
	}
	t.forgetKeys(c, &old, number)
}

// forgetKeys drops keys that are gone, whose series have other numbers now.
func (t *mapSeries) forgetKeys(c Contents, old *mapSeries, number []uint32) {
	t.keys, t.of = keys.New(t.mp.KeySize), nil
	var numbers []int
	for row := range c.Rows {
		n, _ := old.keys.Find(row.Key)
		t.keys.Number(row.Key)
		numbers = append(numbers, n)
		if n := old.of[n]; n == noSeries {
			t.of = append(t.of, noSeries)
		} else {
			t.of = append(t.of, number[n])
		}
	}
	if t.ledger != nil {
		t.ledger.renumber(numbers, number, len(t.list))
	}
}

// kept says which series are of this round or of a key that is there.
func (t *mapSeries) kept(c Contents) []bool {
	kept := make([]bool, len(t.list))
	for n := range t.list {
		kept[n] = t.list[n].round == t.round
	}
	for row := range c.Rows {
		if n, _ := t.keys.Find(row.Key); t.of[n] != noSeries {
			kept[t.of[n]] = true
		}
	}
	return kept
}
