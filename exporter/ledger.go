package exporter

import (
	"bytes"
	"slices"
	"time"

	"ply-exporter/bpfgen/object"
)

// Ledgers
//
// Most series are the sum of what their keys have. That sum falls when a key goes while
// others stay, or when a key changes its series, and Prometheus would take what is left
// for new. Both happen
//
//   - with labels of containers: they end, others go on in their place, names become
//     known late, and what is young does not count by itself;
//   - with "expire:", which takes keys away;
//   - where keys have equal labels, by "map:" or "regexp:" or because of what they are (a
//     cgroup that was made again), and the script deletes keys or a full map evicts them;
//   - with "top:", where a key counts in a series of its own only while it is one of the
//     largest; see choose.
//
// There a series is the sum of what its keys grow by from reading to reading. What has
// been counted stays where it was counted, whatever becomes of the key, and nothing is
// in two series. A ledger knows what each key had when it was read last, and the series
// have their sums. A key that was away begins with nothing.
//
// A series that is shown without a key of its own goes on for some time: the time to
// live of labels of containers, or that of a lost place among the largest. One that is
// not shown at a reading is over: if it is there again later, it starts anew.

// A ledger is what is known of the keys and series of such a map, by number.
type ledger struct {
	adds   bool          // what series are: sums of what keys grow by; else of what keys have
	groups bool          // labels are of containers
	moving bool          // labels may change at any time
	ttl    time.Duration // of labels of containers
	most   int           // how many series are exported beside that of all others; 0: all

	keys   []ledgerKey
	last   valueList      // what keys had when they were read last
	other  []byte         // and those for which the map has no room
	series []ledgerSeries // nil where all that are shown have a key

	epoch   time.Time     // long ago, so that what never was is old
	now     time.Duration // since then
	changed []byte        // what a key has grown by
}

// A ledgerKey is what is known of a key.
type ledgerKey struct {
	round     uint32 // when it was read last
	unsettled bool   // its labels may change
	gone      bool   // its group has ended
}

// A ledgerSeries is what is known of a series, or of keys with equal labels.
type ledgerSeries struct {
	alive time.Duration // when it had a key last whose group exists, or that counted
	round uint32        // and in which round
	place place

	left   time.Duration // when it lost its place
	weight float64       // by how much it is one of the largest
}

// longAgo is longer than any time to live.
const longAgo = 100 * 365 * 24 * time.Hour

// newLedger returns a ledger if the metric needs one.
func newLedger(m *metric, mp *object.Map) *ledger {
	l := &ledger{adds: m.starts() && mp.Reduce == object.ReduceSum, groups: m.hasGroups(), moving: m.moves(), epoch: time.Now().Add(-longAgo), last: newValueList(mp)}
	if l.adds {
		l.most = m.top
	}
	if !m.exported || !l.ages() && !(l.adds && m.losesKeys(mp)) {
		return nil
	}
	for _, of := range m.labels {
		if of.of != nil {
			l.ttl = max(l.ttl, of.of.ttl)
		}
	}
	return l
}

// ages says that series are shown for some time without a key.
func (l *ledger) ages() bool { return l.groups || l.most > 0 }

// begin begins a round.
func (l *ledger) begin(t *mapSeries, c Contents) {
	l.now = time.Since(l.epoch)
	if !l.adds || t.evicts() {
		t.was.copyFrom(&t.values)
	}
	if c.Cleared.After(t.cleared) {
		l.reset(t)
	}
	l.relearn(t)
}

// reset forgets all that was counted.
func (l *ledger) reset(t *mapSeries) {
	for n := range l.keys {
		l.keys[n].round = never
	}
	for n := range t.list {
		t.list[n].round = never
	}
	l.other = nil
	clear(l.series)
}

// relearn gives keys whose labels were not settled those that they have now.
func (l *ledger) relearn(t *mapSeries) {
	if !l.groups && !l.moving {
		return
	}
	var news lesson
	for n := range l.keys {
		k := &l.keys[n]
		if k.unsettled && !k.gone && k.round == t.round-1 {
			k.unsettled = !t.note(&news, n, t.keys.Key(n)) || l.moving
		}
	}
	t.learn(&news)
}

// add makes room for a key that is new.
func (l *ledger) add(settled bool) {
	l.keys = append(l.keys, ledgerKey{round: never, unsettled: !settled || l.moving})
	l.last.grow(len(l.keys))
}

// makeRoom makes room for so many series.
func (l *ledger) makeRoom(n int) {
	if l.ages() {
		l.series = append(l.series, make([]ledgerSeries, n-len(l.series))...)
	}
}

// knows says that a key was there at the reading before.
func (l *ledger) knows(t *mapSeries, n int) bool { return l.keys[n].round == t.round-1 }

// weigh looks at what a key has before it counts anywhere.
func (l *ledger) weigh(t *mapSeries, n int, value []byte) {
	k, of := &l.keys[n], t.of[n]
	switch {
	case !l.knows(t, n):
		l.last.set(uint32(n), l.last.nothing)
	case t.mp.Fell(l.last.at(uint32(n)), value):
		l.last.set(uint32(n), l.last.nothing)
		t.outgrow(of)
	}
	last := l.last.at(uint32(n))
	if of == noSeries || !l.ages() {
		return
	}
	if l.groups && !k.gone {
		k.gone = t.gone(t.keys.Key(n))
	}
	counted := !bytes.Equal(value, last)
	if counted || !k.gone {
		l.touch(t, of)
	}
	if counted && l.most > 0 {
		l.series[of].weight += t.weight(value) - t.weight(last)
	}
}

// touch says that a series is alive.
func (l *ledger) touch(t *mapSeries, n uint32) {
	if l.ages() {
		l.series[n].alive, l.series[n].round = l.now, t.round
	}
}

// lives says that the time of a series is not over.
func (l *ledger) lives(n uint32) bool { return !l.ages() || l.now-l.series[n].alive <= l.ttl }

// count counts what a key has grown by.
func (l *ledger) count(t *mapSeries, n int, value []byte) {
	l.grow(l.last.at(uint32(n)), value)
	l.last.set(uint32(n), value)
	l.keys[n].round = t.round
	if of := t.of[n]; of == noSeries {
		t.filtered++
	} else if l.lives(of) {
		l.post(t, of, value)
	}
}

// grow sets changed to what a value has grown by since the last one, word by word.
func (l *ledger) grow(last, value []byte) {
	l.changed = l.last.mp.AppendGrowth(l.changed[:0], last, value)
}

// post adds to a series what a key has grown by, or its value.
func (l *ledger) post(t *mapSeries, of uint32, value []byte) {
	if !l.adds {
		t.accumulate(of, value)
		return
	}
	of = l.countsIn(t, of)
	l.show(t, of)
	t.accumulate(of, l.changed)
	t.values.set(of, t.mp.Carry(t.value(of)))
}

// countOther counts what the keys have grown by for which the map has no room.
func (l *ledger) countOther(t *mapSeries, value []byte) {
	if l.other == nil || t.mp.Fell(l.other, value) {
		l.other = l.last.nothing
	}
	l.grow(l.other, value)
	l.other = bytes.Clone(value)
	l.touch(t, t.other)
	l.post(t, t.other, value)
}

// countExpired counts what keys had grown by when they expired. One that is there again
// begins with nothing.
func (l *ledger) countExpired(t *mapSeries, c Contents) {
	if !l.adds || len(c.Expired) == 0 {
		return
	}
	var news lesson
	numbers := make([]int, len(c.Expired))
	for i, row := range c.Expired {
		numbers[i] = t.keyNumber(&news, row.Key)
	}
	t.learn(&news)
	t.makeRoom()
	for i, row := range c.Expired {
		n := numbers[i]
		last, of := l.last.at(uint32(n)), t.of[n]
		if !l.knows(t, n) || t.mp.Fell(last, row.Value) {
			last = l.last.nothing
		}
		if of != noSeries && t.mp.Written(1, row.Value) {
			if !bytes.Equal(last, row.Value) {
				l.touch(t, of)
				l.grow(last, row.Value)
				l.post(t, of, row.Value)
			}
			t.outgrow(of)
		}
		l.keys[n].round = never
	}
}

// show puts a series in this round, with what it had in the one before, or with nothing.
func (l *ledger) show(t *mapSeries, n uint32) {
	s := &t.list[n]
	if s.round == t.round {
		return
	}
	if s.round != t.round-1 {
		t.values.set(n, t.values.nothing)
		s.past = false
	}
	s.last, s.round = s.round, t.round
	t.count++
}

// end keeps the series that have no key any more until their time is over.
func (l *ledger) end(t *mapSeries) {
	if !l.adds {
		return
	}
	for i := range l.series {
		s, n := &l.series[i], uint32(i)
		if t.list[n].round == t.round-1 && l.keeps(t, n) {
			l.show(t, n)
		}
		if s.round != t.round && !(l.groups && l.lives(n)) {
			s.weight = 0
		}
	}
	if t.m.losesKeys(t.mp) {
		l.notePast(t)
	}
}

// keeps says that a series stays that has no key.
func (l *ledger) keeps(t *mapSeries, n uint32) bool {
	if l.most > 0 {
		return n == t.other || l.series[n].place != noPlace
	}
	return l.lives(n)
}

// outgrow says that a series has counts from now on that its keys do not have.
func (t *mapSeries) outgrow(n uint32) {
	if n != noSeries {
		t.list[n].past = true
	}
}

// notePast notes whether a series has counts that the map does not have.
func (l *ledger) notePast(t *mapSeries) {
	for n := range l.keys {
		if l.knows(t, n) { // and it was not there in this round
			t.outgrow(t.of[n])
		}
	}
	t.past = slices.ContainsFunc(t.list, func(s series) bool { return s.past && s.round == t.round })
}

// gone says that the group of a key has ended.
func (t *mapSeries) gone(key []byte) bool {
	parts := t.mp.Split(key)
	for i, l := range t.m.labels {
		if l.of == nil || i > 0 && t.m.labels[i-1].part == l.part {
			continue
		}
		if _, gone := t.tracer.Life(parts[l.part]); gone {
			return true
		}
	}
	return false
}

// renumber keeps what is known of the keys and series that are kept: those of number,
// which has the new numbers of series.
func (l *ledger) renumber(oldKeys []int, number []uint32, series int) {
	old := *l
	l.keys, l.last, l.series = nil, newValueList(old.last.mp), nil
	l.last.grow(len(oldKeys))
	for i, n := range oldKeys {
		l.keys = append(l.keys, old.keys[n])
		l.last.set(uint32(i), old.last.at(uint32(n)))
	}
	l.makeRoom(series)
	for n := range old.series {
		if to := number[n]; to != noSeries {
			l.series[to] = old.series[n]
		}
	}
}

// goOn lets the series of a map go on as they are, with the labels and totals of another
// metric of the same map.
func (t *mapSeries) goOn(from *mapSeries) {
	next := *from
	next.m, next.tracer, next.names, next.fold, next.negative = t.m, t.tracer, t.names, t.fold, t.negative
	next.keys, next.of = from.keys.Clone(), slices.Clone(from.of)
	next.list, next.texts, next.order = slices.Clone(from.list), slices.Clone(from.texts), slices.Clone(from.order)
	next.values, next.was = newValueList(t.mp), newValueList(t.mp)
	next.values.copyFrom(&from.values)
	l, old := t.ledger, from.ledger
	l.keys, l.other, l.series = slices.Clone(old.keys), old.other, slices.Clone(old.series)
	l.last.copyFrom(&old.last)
	l.epoch, next.ledger = old.epoch, l
	*t = next
}
