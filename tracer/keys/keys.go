// Package keys numbers the keys of a map.
//
// There may be hundreds of thousands, known from one reading to the next. Go's
// map would take a string and a pointer for each, of which the garbage collector
// goes through all. A table here is three pieces of memory without pointers.
package keys

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// A Table gives keys of one size numbers, from 0 on, in the order in which they
// come.
type Table struct {
	size  int
	seed  maphash.Seed
	keys  []byte   // side by side, by number
	n     int      // how many there are
	slots []uint32 // by hash: number + 1 of a key with that hash, or of one that found its own slot taken; 0 is free

	// next is the number of the key that is likely to come: kernels go through a
	// map in the same order each time.
	next int
}

// New returns a table of keys of so many bytes, which may be 0.
func New(size int) *Table { return &Table{size: size, seed: maphash.MakeSeed()} }

// Clone returns a table with the same keys.
func (t *Table) Clone() *Table {
	c := *t
	c.keys, c.slots = slices.Clone(t.keys), slices.Clone(t.slots)
	return &c
}

// Len returns how many keys have a number.
func (t *Table) Len() int { return t.n }

// Key returns the key of a number.
func (t *Table) Key(n int) []byte { return t.keys[n*t.size : (n+1)*t.size : (n+1)*t.size] }

// Number returns a key's number. One that had none gets the next.
func (t *Table) Number(key []byte) (n int, fresh bool) {
	n, known := t.Find(key)
	if !known {
		t.add(key)
		n = t.n - 1
	}
	t.next = n + 1
	return n, !known
}

// Find returns the number of a key that has one.
func (t *Table) Find(key []byte) (n int, ok bool) {
	switch {
	case t.n == 0:
		return 0, false
	case t.next < t.n && bytes.Equal(t.Key(t.next), key):
		return t.next, true
	}
	number := t.slots[t.find(key)]
	return int(number) - 1, number != 0
}

// find returns the slot that a key has, or would have.
func (t *Table) find(key []byte) int {
	mask := len(t.slots) - 1
	slot := int(maphash.Bytes(t.seed, key)) & mask
	for t.slots[slot] != 0 && !bytes.Equal(t.Key(int(t.slots[slot]-1)), key) {
		slot = (slot + 1) & mask
	}
	return slot
}

func (t *Table) add(key []byte) {
	t.keys = append(t.keys, key...)
	t.n++
	if 4*t.n > 3*len(t.slots) {
		t.spread(t.n)
		return
	}
	t.slots[t.find(key)] = uint32(t.n)
}

// Grow makes room for so many keys more.
func (t *Table) Grow(n int) {
	t.keys = slices.Grow(t.keys, n*t.size)
	if 4*(t.n+n) > 3*len(t.slots) {
		t.spread(t.n + n)
	}
}

// spread makes slots for so many keys, a quarter of them free, and finds one for
// each key there is.
func (t *Table) spread(room int) {
	slots := 8
	for 4*room > 3*slots {
		slots *= 2
	}
	t.slots = make([]uint32, slots)
	for n := range t.n {
		t.slots[t.find(t.Key(n))] = uint32(n + 1)
	}
}

// Keep forgets all keys but those of which keep says so. They keep their order,
// and get numbers from 0 on again: keep is called with the old number in
// ascending order.
func (t *Table) Keep(keep func(n int) bool) {
	kept := 0
	for n := range t.n {
		if keep(n) {
			copy(t.keys[kept*t.size:], t.Key(n))
			kept++
		}
	}
	t.keys, t.n = t.keys[:kept*t.size], kept
	t.spread(kept)
}
