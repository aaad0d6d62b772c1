package exporter

import (
	"encoding/binary"
	"slices"
	"time"
)

// Series of what comes and goes
//
// Containers end, and others go on in their place; a container's name becomes known
// after it has begun to count, and one that is young does not count by itself. So a
// key may change its series, or leave it, while others stay in that. A counter that is
// the sum of its keys would fall then, and Prometheus would take the rest for new.
//
// Where a label is of containers, a series is therefore not a sum of keys but of what
// they have grown by, from reading to reading. What a key has counted stays where it
// was counted, whatever becomes of the key, and nothing is in two series.
//
// A series stays while it has a key of a group that exists, however quiet, and ends when
// nothing was counted for the time to live. If it is there again later, it starts anew.

// A ledger is what is known of the keys and series of such a map, by number.
type ledger struct {
	ttl    time.Duration
	adds   bool // what series are: sums of what keys grow by; else of what keys have
	moving bool // labels may change at any time

	keys  []ledgerKey
	last  []byte      // the values of keys when they were read last
	other []byte      // and that of those for which the map has no room
	alive []time.Time // of series: when they had an existing group, or something was counted

	now     time.Time
	changed []byte // what a key has grown by
}

// A ledgerKey is what is known of a key.
type ledgerKey struct {
	round     uint32 // when it was read last
	unsettled bool   // its labels may change
	gone      bool   // its group has ended
}

// newLedger returns a ledger if the metric needs one.
func newLedger(m *metric, size int, adds bool) *ledger {
	if !m.hasGroups() || !m.exported {
		return nil
	}
	l := &ledger{adds: adds && m.starts(), moving: m.moves(), changed: make([]byte, size)}
	for _, of := range m.labels {
		if of.of != nil {
			l.ttl = max(l.ttl, of.of.ttl)
		}
	}
	return l
}

// begin begins a round.
func (l *ledger) begin(t *mapSeries, c Contents) {
	l.now = time.Now()
	t.was = append(t.was[:0], t.values...)
	if c.Cleared.After(t.cleared) {
		clear(l.last)
		clear(l.other)
		clear(t.values)
	}
	l.relearn(t)
}

// relearn gives keys whose labels were not settled those that they have now.
func (l *ledger) relearn(t *mapSeries) {
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
	l.last = append(l.last, make([]byte, len(l.changed))...)
}

// take takes in the value of a key.
func (l *ledger) take(t *mapSeries, n int, value []byte) {
	k, last := &l.keys[n], l.lastOf(n)
	back := k.round != t.round-1 // it was not there
	if back || t.mp.Fell(last, value) {
		clear(last)
	}
	counted := l.difference(value, last)
	copy(last, value)
	k.round = t.round
	if !k.gone {
		k.gone = t.gone(t.keys.Key(n))
	}
	of := t.of[n]
	if of == noSeries {
		t.filtered++
		return
	}
	if counted || !k.gone {
		l.touch(of)
	}
	if l.lives(of) {
		l.post(t, of, value)
	}
}

// takeOther takes in the value of the keys for which the map has no room.
func (l *ledger) takeOther(t *mapSeries, value []byte) {
	if l.other == nil {
		l.other = make([]byte, len(value))
	}
	if t.mp.Fell(l.other, value) {
		clear(l.other)
	}
	l.difference(value, l.other)
	copy(l.other, value)
	l.touch(t.other)
	l.post(t, t.other, value)
}

// post adds to a series what a key has grown by, or its value.
func (l *ledger) post(t *mapSeries, of uint32, value []byte) {
	if !l.adds {
		t.accumulate(of, value)
		return
	}
	l.show(t, of)
	t.accumulate(of, l.changed)
	t.mp.Carry(t.value(of))
}

// lastOf is the value of a key when it was read last.
func (l *ledger) lastOf(n int) []byte {
	size := len(l.changed)
	return l.last[n*size : (n+1)*size]
}

// difference sets changed to what a value has grown by, word by word, and says whether
// that is anything.
func (l *ledger) difference(value, last []byte) (any bool) {
	for w := 0; w < len(value); w += 8 {
		d := binary.LittleEndian.Uint64(value[w:]) - binary.LittleEndian.Uint64(last[w:])
		binary.LittleEndian.PutUint64(l.changed[w:], d)
		any = any || d != 0
	}
	return any
}

// touch says that a series is alive.
func (l *ledger) touch(n uint32) {
	if missing := int(n) + 1 - len(l.alive); missing > 0 {
		l.alive = append(l.alive, make([]time.Time, missing)...)
	}
	l.alive[n] = l.now
}

// lives says that the time of a series is not over.
func (l *ledger) lives(n uint32) bool {
	return int(n) < len(l.alive) && l.now.Sub(l.alive[n]) <= l.ttl
}

// show puts a series in this round, with what it had in the one before, or with nothing.
func (l *ledger) show(t *mapSeries, n uint32) {
	s := &t.list[n]
	if s.round == t.round {
		return
	}
	if s.round != t.round-1 {
		clear(t.value(n))
	}
	s.last, s.round = s.round, t.round
	t.count++
}

// end keeps the series that have no key any more until their time is over.
func (l *ledger) end(t *mapSeries) {
	if !l.adds {
		return
	}
	for n := range l.alive {
		if t.list[n].round == t.round-1 && l.lives(uint32(n)) {
			l.show(t, uint32(n))
		}
	}
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
func (l *ledger) renumber(oldKeys []int, number []uint32) {
	old := *l
	l.keys, l.last, l.alive = nil, nil, nil
	for _, n := range oldKeys {
		l.keys = append(l.keys, old.keys[n])
		l.last = append(l.last, old.lastOf(n)...)
	}
	for n, to := range number {
		if to != noSeries && n < len(old.alive) {
			l.alive = append(l.alive, make([]time.Time, max(0, int(to)+1-len(l.alive)))...)
			l.alive[to] = old.alive[n]
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
	next.values, next.was = slices.Clone(from.values), nil
	next.ledger = t.ledger
	next.ledger.keys, next.ledger.alive = slices.Clone(from.ledger.keys), slices.Clone(from.ledger.alive)
	next.ledger.last, next.ledger.other = slices.Clone(from.ledger.last), slices.Clone(from.ledger.other)
	*t = next
}
