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

// noteForgotten is the word for Tracer.forgotten. Those of the maps follow.
const noteForgotten = 0

// noteWords is how many words are kept of a script.
func noteWords(obj *object.Object) int {
	n := noteForgotten + 1
	for _, m := range obj.Maps {
		if m.Cleared() {
			n += notesPerMap
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
	at := noteForgotten + 1 + (m.ClearID-1)*notesPerMap
	return t.notes[at : at+notesPerMap]
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
