package tracer

import (
	"errors"
	"sync/atomic"
	"time"

	"ply-exporter/bpfgen/object"
)

// An expiring is a map whose keys expire; see object.Expiry.
type expiring struct {
	*object.Map
	main  *mapReader
	words words // of object.ExpireMap, for all maps

	remover, merger runner

	notes words  // see expiryNotes
	gone  []Row  // what has expired and was not taken; under main.mu
	taken uint64 // how many were taken

	due        time.Time // the next tick
	complained bool
}

// openExpiring prepares reading a map that expires; openPrograms follows.
func (t *Tracer) openExpiring(m *object.Map, main *mapReader) (*expiring, error) {
	late, err := openReader(m, t.coll.Maps[m.LateName()])
	main.late, main.time = late, t.expiries[m.Expiry.ID:m.Expiry.ID+1]
	x := &expiring{Map: m, main: main, words: t.expiries, notes: t.expiryNotes(m)}
	main.beside = x.now() != object.ExpireFirst // the process before may have left something there
	return x, err
}

func (x *expiring) close() {
	x.remover.close()
	x.merger.close()
	x.main.late.close()
}

// expiryOf returns what a map of the script knows of its expiry, nil where it has none.
func (t *Tracer) expiryOf(m *object.Map) *expiring {
	if m.Expiry == nil {
		return nil
	}
	return t.expirings[m.Expiry.ID]
}

// Expired returns how many keys of a map have expired.
func (t *Tracer) Expired(m *object.Map) uint64 {
	t.life.RLock()
	defer t.life.RUnlock()
	if x := t.expiryOf(m); x != nil && !t.closed {
		return x.notes.load(noteExpired)
	}
	return 0
}

// TakeExpired has Contents not tell any more of the rows that were the first n that
// have expired.
func (t *Tracer) TakeExpired(m *object.Map, n uint64) {
	t.life.RLock()
	defer t.life.RUnlock()
	x := t.expiryOf(m)
	if x == nil || t.closed {
		return
	}
	x.main.mu.Lock()
	defer x.main.mu.Unlock()
	if n > x.taken {
		x.gone = append([]Row(nil), x.gone[n-x.taken:]...)
		x.taken = n
	}
	if len(x.gone) == 0 {
		x.notes.store(noteUntaken, 0)
	}
}

// maxGone is how many times as many rows are kept of a map as it has keys, for a
// reader that does not come.
const maxGone = 4

// note takes in elements that have expired.
func (x *expiring) note(elements []byte) {
	x.main.leave(elements)
	for row := range x.main.rows(elements) {
		x.gone = append(x.gone, row)
		atomic.AddUint64(&x.notes[noteExpired], 1)
	}
	if more := len(x.gone) - maxGone*x.MaxEntries; more > 0 {
		x.gone = append([]Row(nil), x.gone[more:]...)
		x.taken += uint64(more)
	}
}

// read reads the map, with what has expired since it was taken.
func (x *expiring) read() (Contents, error) {
	r := x.main
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.fill()
	c := r.contents(r.data)
	c.Expired, c.ExpiredEnd = x.gone[:len(x.gone):len(x.gone)], x.taken+uint64(len(x.gone))
	return c, err
}

// tick counts a tick, and deletes what is old by then.
func (x *expiring) tick(wait func() error) error {
	x.words.store(x.Expiry.ID, x.now()+object.ExpireTick)
	old := false
	_ = x.locked(func() error { old = x.main.beside || x.main.oldest < object.ExpireLimit(x.now()); return nil })
	if !old {
		return nil
	}
	return x.sweep(wait)
}

// old returns the elements that are old now.
func (x *expiring) old() (old []byte, err error) {
	r, limit := x.main, object.ExpireLimit(x.now())
	began := x.now()
	if r.again, err = r.elements.read(r.again[:0]); err != nil { // data may still be looked at
		return nil, err
	}
	r.noteOldest(r.again, began)
	for element := range r.shape.each(r.again) {
		if updated(element) < limit {
			old = append(old, element...)
		}
	}
	return old, nil
}

func (x *expiring) now() uint64 { return x.words.load(x.Expiry.ID) }

// enter takes the map to a mode, and returns when no program runs that has not seen it.
func (x *expiring) enter(mode uint64, wait func() error) error {
	x.words.store(x.Expiry.ID, x.now()&^object.ExpireMode|mode)
	return wait()
}

// sweep takes the map through all modes. What fails is tried again at the next tick:
// until then programs go on as they do in the mode in which it failed.
func (x *expiring) sweep(wait func() error) error {
	x.locked(func() error { x.main.beside = true; return nil })
	if err := x.enter(object.ExpireLate, wait); err != nil {
		return err
	}
	if err := errors.Join(x.locked(x.remove), wait()); err != nil {
		return err
	}
	if err := x.enter(object.ExpireDrain, wait); err != nil {
		return err
	}
	err := x.locked(x.merge)
	x.words.store(x.Expiry.ID, x.now()&^object.ExpireMode)
	return err
}

// locked does something while nobody reads the map.
func (x *expiring) locked(f func() error) error {
	x.main.mu.Lock()
	defer x.main.mu.Unlock()
	return f()
}

// noteOldest notes than which time no element is older, from a reading that began at a
// time: elements that come later are newer. So nothing must be read at a tick at which
// nothing can be old, as long as somebody else reads the map.
func (r *mapReader) noteOldest(elements []byte, began uint64) {
	r.oldest = began &^ object.ExpireMode
	for element := range r.shape.each(elements) {
		r.oldest = min(r.oldest, updated(element))
	}
}

// remove deletes the old elements, which no program updates any more.
func (x *expiring) remove() error {
	old, err := x.old()
	if len(old) > 0 {
		x.notes.store(noteUntaken, 1) // first: the process may end at any time
	}
	if err == nil {
		err = x.delete(old)
	}
	if err == nil {
		x.note(old)
	}
	return err
}

// An expirer looks after the maps of a script that expire.
type expirer struct {
	t     *Tracer
	stop  chan struct{}
	ended chan struct{}
}

// watchExpiry begins to look after the maps that expire.
func (t *Tracer) watchExpiry() {
	if len(t.expirings) == 0 {
		return
	}
	for _, x := range t.expirings {
		x.due = time.Now().Add(x.Expiry.Tick())
	}
	t.expirer = &expirer{t: t, stop: make(chan struct{}), ended: make(chan struct{})}
	go t.expirer.run()
}

func (e *expirer) run() {
	defer close(e.ended)
	for {
		next := e.t.expirings[0]
		for _, x := range e.t.expirings {
			if x.due.Before(next.due) {
				next = x
			}
		}
		select {
		case <-e.stop:
			return
		case <-time.After(time.Until(next.due)):
		}
		if err := next.tick(waitForPrograms); err != nil {
			e.complain(next, err)
		}
		next.due = time.Now().Add(next.Expiry.Tick())
	}
}

// complain says once that keys cannot expire.
func (e *expirer) complain(x *expiring, err error) {
	if !x.complained {
		e.t.opt.log().Warn("old keys cannot be deleted", "map", x.Name, "err", err)
	}
	x.complained = true
}

// end returns when nothing expires any more.
func (e *expirer) end() {
	if e == nil {
		return
	}
	close(e.stop)
	<-e.ended
}
