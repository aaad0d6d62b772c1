package tracer

import (
	"bytes"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"ply-exporter/bpfgen/object"
)

// A watcher looks after the maps that a script clears.
type watcher struct {
	t     *Tracer
	kick  chan struct{} // somebody cannot wait for the next look
	stop  chan struct{}
	ended chan struct{}
	wait  func() error // for all programs that run now
}

// watchEvery is how often the watcher looks when nobody tells it that there is
// something to see, as events do that a full ring buffer takes no more.
const watchEvery = 10 * time.Millisecond

// watchClears begins to look after the maps that the script clears.
func (t *Tracer) watchClears() {
	if !slices.ContainsFunc(t.clearings, func(c *clearing) bool { return c != nil }) {
		return
	}
	t.watcher = &watcher{t: t, kick: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}), wait: waitForPrograms}
	go t.watcher.run()
}

func (w *watcher) run() {
	defer close(w.ended)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			w.finish()
			return
		case <-tick.C:
		case <-w.kick:
		}
		w.settle()
	}
}

// hurry makes the watcher look now.
func (w *watcher) hurry() {
	if w == nil {
		return
	}
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// end returns when everything is as clear() left it; no program may run any more.
func (w *watcher) end() {
	if w == nil {
		return
	}
	close(w.stop)
	<-w.ended
}

// finishTries is how often the watcher looks at most when the script has ended:
// a clear() that is late takes two looks.
const finishTries = 4

// finish settles what is left to settle, and lets nobody wait any longer.
func (w *watcher) finish() {
	for range finishTries {
		if !w.settle() {
			break
		}
	}
	for _, c := range w.t.clearings {
		if c != nil {
			c.mu.Lock()
			c.ended = true
			c.changed.Broadcast()
			c.mu.Unlock()
		}
	}
}

// settle completes the generations that have ended, and carries out the clears
// that wait for one that is empty. It returns whether there was anything to do.
func (w *watcher) settle() bool {
	var busy []*clearing
	var states []object.ClearState
	for _, c := range w.t.clearings {
		if c == nil {
			continue
		}
		s := c.repaired()
		c.notice(s)
		if s.Number() > c.done || s.Waiting() {
			busy, states = append(busy, c), append(states, s)
		}
	}
	if len(busy) == 0 {
		return false
	}
	errWait := w.wait()
	for i, c := range busy {
		err := errWait
		if err == nil {
			err = w.complete(c, states[i].Number())
		}
		if err == nil {
			c.clearLate()
		} else {
			w.complain(c, err)
		}
	}
	return errWait == nil
}

// complain says once that a map cannot be cleared any more: it is tried again and
// again.
func (w *watcher) complain(c *clearing, err error) {
	if !c.complained {
		w.t.opt.log().Warn("what clear() left behind cannot be emptied, so the map will not be cleared again", "map", c.Name, "err", err)
	}
	c.complained = true
}

// repaired returns the state, which never goes back. Before Linux 5.12 programs
// cannot compare and exchange it in one instruction: one that is interrupted
// between the two stores an older one.
func (c *clearing) repaired() object.ClearState {
	s := c.state()
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.Number() >= c.current {
		return s
	}
	atomic.CompareAndSwapUint64(&c.words[c.ClearStateWord()], uint64(s), 2*c.current)
	return c.state()
}

// complete reads and empties the generations before current, in which no program
// stores any more.
func (w *watcher) complete(c *clearing, current uint64) error {
	for g := c.done; g < current; g++ {
		r := c.generations[object.Place(g)]
		if err := w.keep(c, g, r); err != nil {
			return err
		}
		if err := c.empty(object.Place(g)); err != nil {
			return err
		}
		c.mu.Lock()
		c.done = g + 1
		c.changed.Broadcast()
		c.mu.Unlock()
		c.words.store(c.ClearLimitWord(), g+object.Generations)
	}
	return nil
}

// keep keeps what is in a generation until all events that can ask for it were
// handled.
func (w *watcher) keep(c *clearing, g uint64, r *mapReader) error {
	if !c.printed {
		return nil
	}
	until := w.t.events.position()
	now, err := r.read()
	if err != nil {
		return err
	}
	p := &past{until: until}
	for row := range now.Rows {
		p.rows = append(p.rows, Row{bytes.Clone(row.Key), bytes.Clone(row.Value)})
		p.size += len(row.Key) + len(row.Value)
	}
	c.remember(g, p)
	return nil
}

// maxKept is how many bytes of generations are kept for prints that nobody reads.
const maxKept = 32 << 20

func (c *clearing) remember(g uint64, p *past) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept[g] = p
	for c.size += p.size; c.size > maxKept && len(c.kept) > 1; {
		c.drop(oldest(c.kept))
	}
}

func oldest(kept map[uint64]*past) uint64 {
	first := ^uint64(0)
	for g := range kept {
		first = min(first, g)
	}
	return first
}

func (c *clearing) drop(g uint64) {
	c.size -= c.kept[g].size
	delete(c.kept, g)
}

// forget drops the generations that no event can ask for any more, all before a
// position being handled.
func (c *clearing) forget(handled uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for g, p := range c.kept {
		if handled >= p.until {
			c.drop(g)
		}
	}
}

// clearLate carries out the clear() that waits for an empty generation, of which
// there is one now.
func (c *clearing) clearLate() {
	s := c.state()
	if s.Waiting() && s.Number() < c.words.load(c.ClearLimitWord()) &&
		atomic.CompareAndSwapUint64(&c.words[c.ClearStateWord()], uint64(s), uint64(s.Next())) {
		atomic.AddUint64(&c.notes[noteLate], 1)
	}
}

// Printed returns the rows that a print() of a map shows. OnEvent calls it while
// it has the event of that print(): no other goroutine may.
func (t *Tracer) Printed(e *object.Event, record []byte) ([]Row, error) {
	c := t.clearings[e.Map.ID]
	if c == nil {
		return t.Rows(e.Map)
	}
	rows, err := t.printedOf(c, object.ClearState(object.Word(record, 1)))
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", c.Name, err)
	}
	return rows, nil
}

// printedOf returns what a print() shows that saw the state s. The program that
// printed may have gone on to clear the map; so it is waited for before the
// current contents are taken for what is to be printed. A print() after a
// clear() that had to wait shows nothing: what is in the map belongs to what was
// printed before that clear().
func (t *Tracer) printedOf(c *clearing, s object.ClearState) ([]Row, error) {
	if s.Waiting() {
		return nil, nil
	}
	if c.state() == s && t.watcher.wait() == nil && c.state() == s {
		if now, err := c.readIf(s.Number()); now != nil || err != nil {
			return orEmpty(now).list(), err
		}
	}
	t.watcher.hurry()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.done <= s.Number() && !c.ended {
		c.changed.Wait()
	}
	if p := c.kept[s.Number()]; p != nil {
		return p.rows, nil
	}
	atomic.AddUint64(&t.notes[noteForgotten], 1)
	return nil, errForgotten
}

// errForgotten is what remains of a print() that nobody read for very long.
var errForgotten = fmt.Errorf("it was cleared too often before this print was read")
