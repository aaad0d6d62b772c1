package exporter

import (
	"errors"
	"fmt"
	"time"

	"ply-exporter/bpfgen/object"
	"ply-exporter/tracer"
)

// A running is a compiled script that counts.
type running struct {
	*compiled
	tracer  Tracer
	created time.Time
	opened  time.Time    // before that no scrape can have shown the script; zero after a reload
	series  []*mapSeries // one for each map, in the script's order

	// What the last scrape read, and when it and those before it were done.
	last    []mapReading
	readErr error
	reads   readingLog

	spent spending // under the collector's lock
	every int      // one in how many events is looked at, if the script is sampled

	files      []object.File // that the script's names meant when it was attached last
	unfollowed string        // why it is not attached to others
	other      bool          // it needs other programs for those
	gone       []string      // the names that mean none any more, though the script needs one

	cut       bool      // whether the last scrape left out series
	cutLogged time.Time // when that was logged last
}

// start loads and attaches all scripts that compiled.
// Those that run already are left alone.
func start(scripts []*script, b Backend) {
	var ready []*script
	var list []Start
	for _, s := range scripts {
		if s.compiled != nil && s.running == nil {
			ready, list = append(ready, s), append(list, Start{s.compiled.object, s.compiled.pinName(), s.compiled.needsSymbols()})
		}
	}
	tracers, errs := b.Start(list)
	for i, s := range ready {
		if s.err = errs[i]; s.err == nil {
			s.running, s.err = newRunning(s.compiled, tracers[i])
		}
		if s.running != nil {
			s.running.files = s.files
		}
	}
}

// counts says that the script runs, and is not detached for its budget.
func (s *script) counts() bool { return s.running != nil && !s.running.spent.over }

func newRunning(c *compiled, t Tracer) (*running, error) {
	r := &running{compiled: c, tracer: t, created: t.Created()}
	var err error
	if r.series, err = r.newSeries(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	r.resume()
	r.sampleFirst()
	return r, nil
}

// newSeries makes the series of all maps, nothing known yet.
func (r *running) newSeries() ([]*mapSeries, error) {
	all := make([]*mapSeries, len(r.metrics))
	for i, m := range r.metrics {
		mp := r.object.Maps[i]
		all[i] = newMapSeries(m, mp, r.tracer)
		if mp.Shape == object.ShapeHistogram {
			var err error
			if all[i].fold, err = object.Fold(mp.Buckets, m.bounds.thresholds); err != nil {
				return nil, fmt.Errorf("map %s: %w: a bug of ply-exporter", mp.Name, err)
			}
			all[i].negative = object.NegativeLen(mp.Buckets)
			if b, ok := mp.Buckets.(*object.Exponential); ok {
				all[i].native = nativeBuckets(b)
			}
		}
	}
	return all, nil
}

// A mapReading is what one reading found in a map. The keys and values are in
// the series.
type mapReading struct {
	series          *mapSeries
	since           time.Time // when it began to count
	entries         int       // at most MaxEntries
	surplus         int       // those beyond, in a map that evicts
	filtered        int       // those that are not exported for their labels
	dropped, memory uint64
	overflowed      uint64 // updates that are in the series of the other keys
	expired         uint64 // keys
	expiredEnd      uint64 // those of them that the series know of
}

// scrape reads all maps for a scrape that was requested at a time.
func (r *running) scrape(asked time.Time) (err error) {
	r.last, err = r.read(r.series, origin{asked, r.reads.before(asked, r.created)})
	r.noteExpired()
	return err
}

// noteExpired notes that the series know of the keys that have expired.
func (r *running) noteExpired() {
	loses, past := false, false
	for _, reading := range r.last {
		t := reading.series
		if t.m.losesKeys(t.mp) {
			loses, past = true, past || t.past
		}
		if t.mp.Expiry != nil {
			r.tracer.TakeExpired(t.mp, reading.expiredEnd)
		}
	}
	if loses {
		r.tracer.DependOnPast(past)
	}
}

// read reads all maps into series: those of the scrapes, or others, which
// then leave no trace in what a scrape counts. Series start at from.
func (r *running) read(all []*mapSeries, from origin) ([]mapReading, error) {
	contents := make([]Contents, len(all))
	now := time.Now()
	for i, t := range all {
		if !t.due(now) {
			continue
		}
		var err error
		if contents[i], err = r.tracer.Contents(t.mp); err != nil {
			return nil, err
		}
	}
	readings := make([]mapReading, len(all))
	for i, t := range all {
		if t.due(now) {
			t.update(contents[i], from)
			t.keysRead, t.readAt = contents[i].Len, now
		}
		entries := min(t.keysRead, t.mp.MaxEntries)
		readings[i] = mapReading{
			series: t, since: latest(r.created, t.cleared), entries: entries, surplus: t.keysRead - entries, filtered: t.filtered,
			dropped: r.tracer.Dropped(t.mp), overflowed: r.tracer.Overflowed(t.mp), memory: r.memory(t.mp),
			expired: r.tracer.Expired(t.mp), expiredEnd: contents[i].ExpiredEnd,
		}
	}
	return readings, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// countEvery is how old the number of keys may be in a map that is not exported.
const countEvery = time.Minute

// due says whether the map is to be read now. To go through a hash costs the same
// whether there is much in it or nothing; of one that is not exported only the number of
// keys is shown.
func (t *mapSeries) due(now time.Time) bool {
	isHelper := !t.m.exported && t.mp.Storage == object.LRUHash && !t.mp.Cleared()
	return !isHelper || t.readAt.IsZero() || now.Sub(t.readAt) >= countEvery
}

// memory is the kernel memory of a map: the kernel's own figure, which before
// Linux 6.4 leaves out everything but keys and values, or what it must be.
func (r *running) memory(mp *object.Map) uint64 {
	return max(r.tracer.MapMemory(mp), uint64(mp.Memory(r.object.CPUs)))
}

// peek reads all maps without counting as a scrape. What it learns of keys is
// forgotten again. It shows all keys, also those that are not among the largest.
func (r *running) peek() ([]mapReading, error) {
	all, err := r.newSeries()
	if err != nil {
		return nil, err
	}
	for i, t := range all {
		switch t.scraped = r.series[i]; {
		case t.m.top > 0:
			t.m = t.m.whole()
			t.ledger = newLedger(t.m, t.mp)
		case t.ledger != nil:
			t.goOn(r.series[i])
		}
	}
	return r.read(all, origin{})
}

// stop closes all scripts.
func stop(scripts []*script) {
	endEach(scripts, func(r *running) error { return r.tracer.Close() })
}

// leave leaves all scripts that are pinned to the next process, with what this one knows of
// them, and closes the others.
func (c *collector) leave() {
	endEach(c.scripts, func(r *running) error {
		return r.tracer.Leave(func() []byte {
			c.lock.Lock() // a scrape whose client is gone may still read
			defer c.lock.Unlock()
			return r.handover()
		})
	})
}

// endEach ends scripts, several at a time: each waits for the kernel.
func endEach(scripts []*script, end func(*running) error) {
	tracer.Parallel(len(scripts), 8, func(i int) {
		if r := scripts[i].running; r != nil {
			_ = end(r)
		}
	})
}
