package object

import "time"

// Expiry
//
// A map that expires forgets the keys that were not updated for some time, and no
// update is lost that comes at that moment. The trouble is that an element which is
// deleted may be used for another key at once, while a program on another CPU still
// has its address: what it adds would be lost, or added to the other key. Nothing
// that a program can ask the element protects it. So elements are deleted only while
// no program uses them, and none is used for another key as long as a program can have
// its address.
//
// Behind the value of each element is a word that says when it was updated last, in
// ticks: each update stores the map's word of ExpireMap there, whose upper bits count
// them. An element is old when that was more than ExpireTicks ago. Whoever runs the
// script counts the ticks, and where an element is old takes the map through these
// modes, which are the lowest bits of the same word, so that a program learns all of
// it at once:
//
//  1. ExpireLate: programs leave old elements alone and insert none. They use a second
//     hash instead, the late one, for keys that are old or new. When all programs that
//     began before have ended, old elements are final, and are deleted. A program that
//     still has the address of one finds it old, because nothing is inserted in its
//     place.
//  2. ExpireDrain: when all programs that began before have ended, too, programs use
//     the map again, and read the late hash besides. When those that began before have
//     ended, nobody updates the late hash: its elements are added to the map, by a
//     program, as updates are.
//  3. Neither: the map is used alone.
//
// Who reads the map adds what is in the late hash, from the beginning until it is
// empty. What does not fit into the map stays there until there is room.
//
// A program needs no atomic instruction for this that fetches. A value for each CPU
// has a time for each: a CPU that finds its own old uses the late hash, and the element
// is deleted only when those of all CPUs are.

// ExpireMap is an mmapable array of one value: a word for each map that expires. It
// exists only where there is one.
const ExpireMap = "ply_expire"

// ExpireTicks is how many ticks are the time after which keys expire.
const ExpireTicks = 8

// The lowest bits of such a word are the mode, and those above count ticks.
const (
	ExpireLate  = 1
	ExpireDrain = 2
	ExpireMode  = ExpireLate | ExpireDrain
	ExpireTick  = 4 // what a tick adds
)

// ExpireFirst is the time at which ticks begin: an element that was never updated is
// old.
const ExpireFirst = (ExpireTicks + 1) * ExpireTick

// ExpireLimit is the time before which elements are old.
func ExpireLimit(now uint64) uint64 { return now&^ExpireMode - ExpireTicks*ExpireTick }

// An Expiry says how a map forgets keys.
type Expiry struct {
	After time.Duration
	ID    int // the map's word in ExpireMap

	// Adds says that the script changes the values by adding only, so that those of
	// a key in two places are added.
	Adds bool
}

// Tick is how long a tick is.
func (e *Expiry) Tick() time.Duration { return e.After / ExpireTicks }

// LateName is the name in Object.Spec.Maps of the late hash of a map that expires.
func (m *Map) LateName() string { return m.SpecName + "/late" }

// LateStorage is how the late hash lives in the kernel.
func (m *Map) LateStorage() Storage {
	if m.Storage == LRUHash {
		return SharedHash // it must not forget
	}
	return m.Storage
}

// LateRoom is how many keys the late hash has room for: those that are new or old and
// updated during some tens of milliseconds.
func (m *Map) LateRoom() int {
	const least, share = 256, 8
	return min(m.MaxEntries, max(least, m.MaxEntries/share))
}

// StoredSize is how many bytes the kernel has for one value of a hash.
func (m *Map) StoredSize() int {
	if m.Expiry == nil {
		return m.Size
	}
	return m.Size + 8
}
