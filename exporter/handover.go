package exporter

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"ply-exporter/tracer/keys"
)

// Handovers
//
// A script that is pinned counts on when the exporter ends, but its series are more than its
// maps: they have counts of keys that are gone, labels of containers that ended, places among
// the largest, times at which they started and resolutions that they had to fall to. So the exporter
// leaves all that it knows of them when it ends, as of the last scrape, with the keys that have
// expired since, and the next one goes on as if it had known that itself. One that is killed leaves nothing.

// handoverLayout is that of what is left. It changes with the meaning of any field.
const handoverLayout = "1"

// A handover is what is left of a script, stored as JSON.
type handover struct {
	Of   []string // what is exported of each map: a handover is of no use to other metrics
	Read []int64  // when the series were read, in nanoseconds since 1970
	Maps []*mapHandover
}

// A mapHandover has the fields of mapSeries of that name, each as one piece of memory.
type mapHandover struct {
	Keys, Of, List, Texts, Order, Values []byte
	Round, Other                         uint32
	Cleared                              int64 // 0: never
	Ledger                               *ledgerHandover
	Expired                              []byte // keys and values
}

// A ledgerHandover has those of a ledger. Its time goes on from Now, which it was At.
type ledgerHandover struct {
	Keys, Last, Other, Series []byte
	Now                       time.Duration
	At                        int64
}

// What follows are series and what ledgers know of them, as they are stored.
type (
	seriesRecord struct {
		Start                     int64
		End, Round, Last, Changed uint32
		Hidden, Past              bool
		Coarser                   uint8
	}
	ledgerKeyRecord struct {
		Round           uint32
		Unsettled, Gone bool
	}
	ledgerSeriesRecord struct {
		Alive, Left int64
		Weight      float64
		Round       uint32
		Place       uint8
	}
)

var errHandover = errors.New("a handover is not whole")

// handover is what is left of the script for the next process. Series that a reload has made
// anew do not know yet when they started, or what they had, if no scrape has read them.
func (r *running) handover() []byte {
	if slices.ContainsFunc(r.series, func(t *mapSeries) bool { return t.former != nil }) {
		if err := r.scrape(time.Now()); err != nil {
			return nil
		}
	}
	h := handover{Of: r.exports()}
	for _, at := range r.reads {
		h.Read = append(h.Read, at.UnixNano())
	}
	for _, t := range r.series {
		m := t.handover()
		if m != nil && t.mp.Expiry != nil {
			c, err := r.tracer.Contents(t.mp)
			if err != nil {
				return nil
			}
			for _, row := range slices.Concat(t.expired, c.Expired) {
				m.Expired = append(append(m.Expired, row.Key...), row.Value...)
			}
		}
		h.Maps = append(h.Maps, m)
	}
	text, err := json.Marshal(h)
	if err != nil {
		return nil
	}
	return text
}

// exports says what each map is exported as.
func (c *compiled) exports() (all []string) {
	for _, m := range c.metrics {
		if m.exported {
			all = append(all, fmt.Sprintf("%s %s%q %s", handoverLayout, m.name, m.labelNames(), m.meaning()))
		}
	}
	return all
}

// resume takes what the process before has left of the script, and says whether it is of use.
func (c *compiled) resume(text []byte) bool {
	var h handover
	if len(text) == 0 || json.Unmarshal(text, &h) != nil || !slices.Equal(h.Of, c.exports()) || len(h.Maps) != len(c.metrics) {
		return false
	}
	for i, m := range h.Maps {
		mp := c.object.Maps[i]
		if t := newMapSeries(c.metrics[i], mp, nil); m != nil && t.resume(m) != nil {
			return false
		}
	}
	c.before = &h
	return true
}

// resume lets the series go on as the process before has left them.
func (r *running) resume() {
	if r.before == nil {
		return
	}
	for i, t := range r.series {
		if m := r.before.Maps[i]; m != nil {
			_ = t.resume(m) // it was looked at before
			t.noteEnded()
		}
	}
	for _, at := range r.before.Read {
		r.reads.add(time.Unix(0, at))
	}
	r.before = nil
}

// noteEnded lets keys keep their labels whose groups have ended while no process ran: what they
// were called, nobody can tell any more.
func (t *mapSeries) noteEnded() {
	if t.ledger == nil || !t.ledger.groups {
		return
	}
	for n := range t.ledger.keys {
		k := &t.ledger.keys[n]
		k.gone = k.gone || k.unsettled && t.gone(t.keys.Key(n))
	}
}

// handover returns what is known of the series; nil of a map that is not exported.
func (t *mapSeries) handover() *mapHandover {
	if !t.m.exported {
		return nil
	}
	t.makeRoom()
	m := &mapHandover{Of: pack(t.of), Texts: t.texts, Order: pack(t.order), Values: t.values.pack(len(t.list)), Round: t.round, Other: t.other}
	for n := range t.keys.Len() {
		m.Keys = append(m.Keys, t.keys.Key(n)...)
	}
	if !t.cleared.IsZero() {
		m.Cleared = t.cleared.UnixNano()
	}
	var list []seriesRecord
	for _, s := range t.list {
		list = append(list, seriesRecord{int64(s.start), s.end, s.round, s.last, s.changed, s.hidden, s.past, s.coarser})
	}
	m.List = pack(list)
	if t.ledger != nil {
		m.Ledger = t.ledger.handover()
	}
	return m
}

func (l *ledger) handover() *ledgerHandover {
	h := &ledgerHandover{Last: l.last.pack(len(l.keys)), Other: l.other, Now: time.Since(l.epoch), At: time.Now().UnixNano()}
	var known []ledgerKeyRecord
	for _, k := range l.keys {
		known = append(known, ledgerKeyRecord{k.round, k.unsettled, k.gone})
	}
	var series []ledgerSeriesRecord
	for _, s := range l.series {
		series = append(series, ledgerSeriesRecord{int64(s.alive), int64(s.left), s.weight, s.round, uint8(s.place)})
	}
	h.Keys, h.Series = pack(known), pack(series)
	return h
}

// resume takes over what a handover says, if that is whole.
func (t *mapSeries) resume(m *mapHandover) (err error) {
	var list []seriesRecord
	if err = errors.Join(unpack(m.Of, &t.of), unpack(m.Order, &t.order), unpack(m.List, &list)); err != nil {
		return err
	}
	if t.keys, err = unpackKeys(m.Keys, t.mp.KeySize, len(t.of)); err != nil {
		return err
	}
	t.list, t.texts, t.round, t.other = make([]series, len(list)), m.Texts, m.Round, m.Other
	end := uint32(0)
	for i, s := range list {
		if s.End < end || int(s.End) > len(m.Texts) {
			return errHandover
		}
		end = s.End
		t.list[i] = series{startTime(s.Start), s.End, s.Round, s.Last, s.Changed, s.Hidden, s.Past, s.Coarser}
	}
	known := func(n uint32) bool { return n == noSeries || int(n) < len(list) }
	if len(t.order) != len(list) || !known(t.other) || !all(t.of, known) || !all(t.order, func(n uint32) bool { return int(n) < len(list) }) {
		return errHandover
	}
	if m.Cleared != 0 {
		t.cleared = time.Unix(0, m.Cleared)
	}
	if err := t.values.unpack(m.Values, len(list)); err != nil {
		return err
	}
	if err := t.unpackExpired(m.Expired); err != nil {
		return err
	}
	if (t.ledger == nil) != (m.Ledger == nil) {
		return errHandover
	}
	if t.ledger != nil {
		return t.ledger.resume(m.Ledger, len(t.of), len(list))
	}
	return nil
}

// unpackExpired notes keys that the process before has not counted any more.
func (t *mapSeries) unpackExpired(packed []byte) error {
	for len(packed) > 0 {
		if len(packed) < t.mp.KeySize {
			return errHandover
		}
		key, rest := packed[:t.mp.KeySize], packed[t.mp.KeySize:]
		size, whole := t.mp.ReadSize(rest)
		if !whole {
			return errHandover
		}
		t.expired = append(t.expired, Row{Key: key, Value: rest[:size]})
		packed = rest[size:]
	}
	return nil
}

func (l *ledger) resume(h *ledgerHandover, keys, series int) error {
	var known []ledgerKeyRecord
	var list []ledgerSeriesRecord
	if err := errors.Join(unpack(h.Keys, &known), unpack(h.Series, &list), l.last.unpack(h.Last, keys)); err != nil {
		return err
	}
	if len(known) != keys || l.ages() && len(list) != series {
		return errHandover
	}
	for _, k := range known {
		l.keys = append(l.keys, ledgerKey{k.Round, k.Unsettled, k.Gone})
	}
	for _, s := range list {
		l.series = append(l.series, ledgerSeries{time.Duration(s.Alive), s.Round, place(s.Place), time.Duration(s.Left), s.Weight})
	}
	if len(h.Other) > 0 {
		one := newValueList(l.last.mp)
		if err := one.unpack(h.Other, 1); err != nil {
			return err
		}
		l.other = h.Other
	}
	now := h.Now + max(0, time.Since(time.Unix(0, h.At)))
	l.epoch = time.Now().Add(-now)
	return nil
}

func all[T any](list []T, is func(T) bool) bool {
	return !slices.ContainsFunc(list, func(x T) bool { return !is(x) })
}

func unpackKeys(packed []byte, size, n int) (*keys.Table, error) {
	if len(packed) != n*size || size == 0 && n > 1 {
		return nil, errHandover
	}
	t := keys.New(size)
	for i := range n {
		if _, fresh := t.Number(packed[i*size : (i+1)*size]); !fresh {
			return nil, errHandover
		}
	}
	return t, nil
}

// pack puts values of a fixed size side by side.
func pack[T any](list []T) []byte {
	b, _ := binary.Append(nil, binary.LittleEndian, list) // fails only for other types
	return b
}

func unpack[T any](packed []byte, list *[]T) error {
	size := binary.Size(*new(T))
	if len(packed)%size != 0 {
		return errHandover
	}
	*list = make([]T, len(packed)/size)
	_, err := binary.Decode(packed, binary.LittleEndian, *list)
	return err
}

// pack returns the first n values side by side.
func (v *valueList) pack(n int) (packed []byte) {
	for i := range n {
		packed = append(packed, v.at(uint32(i))...)
	}
	return packed
}

// unpack makes the values those that are packed.
func (v *valueList) unpack(packed []byte, n int) error {
	v.grow(n)
	for i := range n {
		size, whole := v.mp.ReadSize(packed)
		if !whole {
			return errHandover
		}
		v.set(uint32(i), packed[:size])
		packed = packed[size:]
	}
	if len(packed) > 0 {
		return errHandover
	}
	return nil
}
