package exporter

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"time"

	"ply-exporter/bpfgen/object"
)

// The largest series
//
// With "top: 20" the series of twenty keys are exported, those that have counted most,
// and all others are one, whose labels say "other". Which keys are among the twenty
// changes, and yet every event is in the increase of one series, so that sums of rates
// are right:
//
//   - What a key has grown by since the last reading is added to its own series, or to
//     that of the others. Neither ever falls.
//   - A key that gets a series of its own after it has counted among the others begins at
//     0: what it had stays there. One that is new begins with all that it has, as the
//     series of any key does, with a start before.
//   - A key that loses its series counts among the others from then on. The series stays
//     for some minutes as it was, so that whoever else scrapes sees its last number, too,
//     and goes on if the key is among the largest again.
//
// A key takes the place of another one only if it has counted a tenth more than that. As
// totals only grow, places change less and less often.

// A top is what is known of the series of a metric that exports the largest ones.
type top struct {
	most   int
	places []*place // in no order

	other      []byte // what all others have counted; nil while there are none
	otherStart startTime
	otherSince uint32 // the round in which there were others first

	changed []byte // what a key has grown by
}

// A place is a series of the largest ones, or one that was.
type place struct {
	labels  []byte
	own     []byte // what it has counted
	start   startTime
	coarser uint8     // see series; that of all others follows from what they have counted
	ended   time.Time // when its key has lost the place; zero while it has it
	number  uint32    // its key's series in this round; noSeries where it is not there
	fresh   bool      // it has got the place in this round, for the first time
}

// topLinger is how long series stay that are no longer among the largest.
const topLinger = 5 * time.Minute

// process is the same in no other process: what was counted in whose series does not
// outlive it.
var process = fmt.Sprintf("%d at %d", os.Getpid(), time.Now().UnixNano())

// keepLargest has only the largest series exported, if that is wanted. The status page
// shows all.
func (t *mapSeries) keepLargest(cleared bool, from startTime) {
	switch {
	case t.m.top == 0 || t.whole:
	case t.m.starts():
		if t.top == nil {
			t.top = newTop(t.m, t.mp.Size)
		}
		t.top.take(t, cleared, from)
	default:
		t.hideSmall()
	}
}

// newTop returns what exports the largest series of a metric that counts.
func newTop(m *metric, size int) *top {
	return &top{most: m.top, changed: make([]byte, size)}
}

// take takes in what was read: one round, before which the map was cleared or not. New
// series start at from.
func (p *top) take(t *mapSeries, cleared bool, from startTime) {
	if cleared {
		p.places, p.other = nil, nil
	}
	now := time.Now()
	before := p.locate(t, now)
	for n, of := range before {
		p.credit(of.own, t, n, cleared)
	}
	p.choose(t, now, from)
	after := p.counting()
	for _, n := range t.order {
		of, begins := after[n], cleared || t.isNew(n)
		switch {
		case t.list[n].round != t.round || before[n] != nil:
		case of == nil || of.fresh && !begins:
			p.creditOther(t, n, cleared, from)
		default:
			if of.fresh {
				of.start = t.list[n].start
			}
			p.credit(of.own, t, n, cleared)
		}
	}
	t.shown = len(p.places)
	if p.other != nil {
		t.shown++
	}
}

// locate finds the keys of places in this round, and returns those places that count.
// A key that is not there any more loses its place, and what has lingered goes.
func (p *top) locate(t *mapSeries, now time.Time) map[uint32]*place {
	for _, of := range p.places {
		of.number, of.fresh = noSeries, false
		if at, found := t.find(of.labels); found && t.list[t.order[at]].round == t.round {
			of.number = t.order[at]
		} else if of.ended.IsZero() {
			of.ended = now
		}
	}
	slices.SortStableFunc(p.places, func(a, b *place) int { return b.ended.Compare(a.ended) }) // those that ended last first, those that count last
	ended := 0
	p.places = slices.DeleteFunc(p.places, func(of *place) bool {
		if of.ended.IsZero() {
			return false
		}
		ended++
		return ended > p.most || now.Sub(of.ended) > topLinger
	})
	return p.counting()
}

// counting are the places that keys have, by their series.
func (p *top) counting() map[uint32]*place {
	all := map[uint32]*place{}
	for _, of := range p.places {
		if of.ended.IsZero() {
			all[of.number] = of
		}
	}
	return all
}

// choose gives places to the largest keys that have none: free ones, and those of keys
// that are much smaller, unless too many have lost theirs a short time ago.
func (p *top) choose(t *mapSeries, now time.Time, from startTime) {
	counting := p.counting()
	lingering := len(p.places) - len(counting)
	for _, n := range t.largestKeys(p.most) {
		if counting[n] != nil {
			continue
		}
		if len(counting) >= p.most {
			least := leastOf(t, counting)
			if lingering >= p.most || 10*t.weight(n) <= 11*t.weight(least) {
				return
			}
			counting[least].ended = now
			delete(counting, least)
			lingering++
		}
		of := p.placeFor(t, n, from)
		if !of.ended.IsZero() {
			of.ended = time.Time{}
			lingering--
		}
		counting[n] = of
	}
}

// largestKeys are the keys that are largest, at most so many, the largest first. What
// all others are is in no rank.
func (t *mapSeries) largestKeys(most int) []uint32 {
	list := t.largest(most+1, t.weight)
	if at, found := t.find(t.otherLabels()); found {
		list = slices.DeleteFunc(list, func(n uint32) bool { return n == t.order[at] })
	}
	return list[:min(len(list), most)]
}

func leastOf(t *mapSeries, counting map[uint32]*place) uint32 {
	least, found := uint32(0), false
	for n := range counting {
		w, than := t.weight(n), t.weight(least)
		if !found || w < than || w == than && bytes.Compare(t.labels(n), t.labels(least)) > 0 {
			least, found = n, true
		}
	}
	return least
}

// weight is by how much a key is one of the largest: how often it has counted, or the
// number that it has.
func (t *mapSeries) weight(n uint32) float64 {
	r := t.read(n)
	if r.Shape == object.ShapeHistogram || r.Shape == object.ShapeMean {
		return float64(r.Count)
	}
	return t.scalar(r)
}

// placeFor returns the place that a key has had, or a new one.
func (p *top) placeFor(t *mapSeries, n uint32, from startTime) *place {
	for _, of := range p.places {
		if of.number == n {
			return of
		}
	}
	of := &place{labels: bytes.Clone(t.labels(n)), own: make([]byte, t.mp.Size), start: from, number: n, fresh: true}
	p.places = append(p.places, of)
	return of
}

// credit adds to a total what a key has grown by since the round before.
func (p *top) credit(total []byte, t *mapSeries, n uint32, cleared bool) {
	value := t.value(n)
	copy(p.changed, value)
	if !cleared && !t.isNew(n) && !t.mp.Fell(t.valueIn(t.was, n), value) {
		was := t.valueIn(t.was, n)
		for w := 0; w < len(value); w += 8 {
			d := binary.LittleEndian.Uint64(value[w:]) - binary.LittleEndian.Uint64(was[w:])
			binary.LittleEndian.PutUint64(p.changed[w:], d)
		}
	}
	t.mp.Reduce.Join(total, p.changed)
	t.mp.Carry(total)
}

// creditOther credits a key that has no place. The series of the others begins when the
// first of them does.
func (p *top) creditOther(t *mapSeries, n uint32, cleared bool, from startTime) {
	if cleared || t.isNew(n) {
		from = t.list[n].start
	}
	switch {
	case p.other == nil:
		p.other, p.otherStart, p.otherSince = make([]byte, t.mp.Size), from, t.round
	case p.otherSince == t.round:
		p.otherStart = min(p.otherStart, from)
	}
	p.credit(p.other, t, n, cleared)
}

// each calls yield with the series that are exported, in the order of their labels.
func (p *top) each(t *mapSeries, yield func(shownSeries) bool) {
	all := slices.Clone(p.places)
	if p.other != nil {
		all = append(all, &place{labels: t.otherLabels(), own: p.other, start: p.otherStart})
	}
	slices.SortFunc(all, func(a, b *place) int { return bytes.Compare(a.labels, b.labels) })
	for _, of := range all {
		if !yield(shownSeries{of.labels, of.start, of.own, &of.coarser}) {
			return
		}
	}
}

// hideSmall hides all but the largest series of a metric that does not count.
func (t *mapSeries) hideSmall() {
	if !t.evicts() {
		for i := range t.list {
			t.list[i].hidden = false
		}
	}
	shown := map[uint32]bool{}
	for _, n := range t.largestKeys(t.m.top) {
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
