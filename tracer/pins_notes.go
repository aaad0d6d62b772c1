package tracer

import (
	"time"

	"ply-exporter/bpfgen/object"
)

// What a process knows of a script and the kernel does not is kept with its pins, in
// memory that they share, so that it is there however the process ends.

// Words for each map that is cleared.
const (
	noteGeneration = iota // the current one that was seen last
	noteSince             // when it was, in nanoseconds since 1970
	noteLate              // how many clears came late
	notesPerMap
)

// Words of the script.
const (
	noteForgotten = iota // how many prints came too late
	notePast             // see Tracer.DependOnPast
	noteCreated          // when its counters started, in nanoseconds since 1970
	noteMaps             // those of the maps follow
)

// Words for each map whose keys expire.
const (
	noteExpired = iota // how many keys have expired
	noteUntaken        // whether some have since the last TakeExpired
	notesPerExpiry
)

// noteWords is how many words are kept of a script.
func noteWords(obj *object.Object) int {
	n := noteMaps
	for _, m := range obj.Maps {
		switch {
		case m.Cleared():
			n += notesPerMap
		case m.Expiry != nil:
			n += notesPerExpiry
		}
	}
	return n
}

// makeNotes makes the memory, if the script will be pinned.
func (t *Tracer) makeNotes() (err error) {
	if t.opt.Pins == nil {
		t.notes = make(words, noteWords(t.obj))
		return nil
	}
	if t.notesIn, err = newPinMap(notesMap, 8*noteWords(t.obj)); err != nil {
		return err
	}
	t.notes, err = mapWords(t.notesIn)
	return err
}

// notesOf are the words of a map that is cleared.
func (t *Tracer) notesOf(m *object.Map) words {
	at := noteMaps + (m.ClearID-1)*notesPerMap
	return t.notes[at : at+notesPerMap]
}

// expiryNotes are the words of a map whose keys expire.
func (t *Tracer) expiryNotes(m *object.Map) words {
	end := noteWords(t.obj) - m.Expiry.ID*notesPerExpiry
	return t.notes[end-notesPerExpiry : end]
}

// DependOnPast says whether what is shown of the script is more than what its maps have:
// counts of keys that have expired, or were deleted or evicted, which only this process
// knows. The next process must not go on with the maps then, as counts would fall.
func (t *Tracer) DependOnPast(does bool) {
	t.life.RLock()
	defer t.life.RUnlock()
	if t.closed {
		return
	}
	word := uint64(0)
	if does {
		word = 1
	}
	t.notes.store(notePast, word)
}

// StartAt notes that what is shown of the script starts later than it began to count, or
// earlier: the next process says so, too.
func (t *Tracer) StartAt(at time.Time) {
	t.life.RLock()
	defer t.life.RUnlock()
	if !t.closed {
		t.notes.store(noteCreated, uint64(at.UnixNano()))
	}
}

// see notes since when a generation is current, for who holds the lock. The time is
// kept first: beside another generation it has no meaning.
func (c *clearing) see(generation uint64, since time.Time) {
	c.current, c.since = generation, since
	c.notes.store(noteSince, uint64(since.UnixNano()))
	c.notes.store(noteGeneration, generation)
}

// goOn takes over what the process before knew. A generation that it has not seen
// began until now.
func (c *clearing) goOn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = c.words.load(c.ClearLimitWord()) - (object.Generations - 1)
	generation := c.state().Number()
	if generation == 0 {
		return
	}
	since := time.Now()
	if c.notes.load(noteGeneration) == generation {
		since = time.Unix(0, int64(c.notes.load(noteSince)))
	}
	c.see(generation, since)
}
