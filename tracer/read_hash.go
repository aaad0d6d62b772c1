package tracer

import (
	"ply-exporter/tracer/keys"
)

// readHash fills data with one element for each key.
func (r *mapReader) readHash() error {
	var began uint64
	if r.time != nil {
		began = r.time.load(0)
	}
	if err := r.readElements(); err != nil {
		return err
	}
	if r.time != nil {
		r.noteOldest(r.data, began)
	}
	r.round++
	n := r.shape.count(r.data)
	r.known.Grow(n - min(n, r.known.Len()))
	found, seen := r.keep(r.data[:0], r.data, r.see)
	r.data = found
	if seen < r.known.Len()-r.deleted {
		return r.readMissing()
	}
	return nil
}

// readElements fills data with all elements, some perhaps twice.
func (r *mapReader) readElements() (err error) {
	r.data, err = r.elements.read(r.data[:0])
	return err
}

// keep appends to kept the elements whose keys are wanted and that an update has
// reached. It returns how many are wanted.
func (r *mapReader) keep(kept, elements []byte, wanted func(key []byte) bool) ([]byte, int) {
	n := 0
	for element := range r.shape.each(elements) {
		if !wanted(element[:r.KeySize]) {
			continue
		}
		n++
		if !r.written(element) {
			continue
		}
		if at := len(kept); at < cap(kept) && &kept[:at+1][at] == &element[0] {
			kept = kept[:at+len(element)] // it is where it is to be
		} else {
			kept = append(kept, element...)
		}
	}
	return kept, n
}

// written says whether an update has reached an element.
func (r *mapReader) written(element []byte) bool {
	return r.Written(1, r.value(element))
}

// readLate adds to data what is in the late hash.
func (r *mapReader) readLate() error {
	if err := r.late.readElements(); err != nil {
		return err
	}
	late := map[string][]byte{}
	for element := range r.shape.each(r.late.data) {
		if r.written(element) {
			late[string(element[:r.KeySize])] = element
		}
	}
	joined := r.again[:0]
	for element := range r.shape.each(r.data) {
		if other, both := late[string(element[:r.KeySize])]; both {
			joined = r.appendJoined(joined, element, other)
			delete(late, string(element[:r.KeySize]))
		} else {
			joined = append(joined, element...)
		}
	}
	for _, element := range late {
		joined = append(joined, element...)
	}
	r.data, r.again = joined, r.data
	return nil
}

// appendJoined appends an element to which that of the late hash is joined. Of a table
// that is not only added to the newer one is kept.
func (r *mapReader) appendJoined(list, element, late []byte) []byte {
	switch {
	case r.Expiry.Adds:
		list = r.AppendJoined(append(list, element[:r.KeySize]...), r.value(element), r.value(late))
		return append(list, element[len(element)-8:]...)
	case updated(late) > updated(element):
		return append(list, late...)
	}
	return append(list, element...)
}

// see notes that a key is there; false when it was already seen this round.
func (r *mapReader) see(key []byte) bool {
	n, fresh := r.known.Number(key)
	switch {
	case fresh:
		r.seen = append(r.seen, notThere)
	case r.seen[n] == notThere:
		r.deleted--
	}
	first := r.seen[n] != r.round
	r.seen[n] = r.round
	return first
}

// seeKnown is see for keys that were there last time; false for others.
func (r *mapReader) seeKnown(key []byte) bool {
	_, known := r.known.Find(key)
	return known && r.see(key)
}

// readMissing reads once more, for the keys that were there last time and are not
// among the elements. A key whose bucket changes meanwhile can be passed over; it
// must not seem gone. Looking up each would be a bpf(2) call each, in which this
// CPU misses events.
func (r *mapReader) readMissing() (err error) {
	if r.again, err = r.elements.read(r.again[:0]); err != nil {
		return err
	}
	r.data, _ = r.keep(r.data, r.again, r.seeKnown)
	r.forget()
	return nil
}

// notThere is the round in which a key was there last that was deleted since.
const notThere = 0

// forget forgets the keys that are not there.
func (r *mapReader) forget() { r.forgetBut(func(seen uint32) bool { return seen == r.round }) }

func (r *mapReader) forgetBut(keep func(seen uint32) bool) {
	kept := 0
	r.known.Keep(func(n int) bool {
		if !keep(r.seen[n]) {
			return false
		}
		r.seen[kept] = r.seen[n]
		kept++
		return true
	})
	r.seen, r.deleted = r.seen[:kept], 0
}

// leave notes that elements were deleted, so that the next reading does not miss them.
func (r *mapReader) leave(elements []byte) {
	for element := range r.shape.each(elements) {
		if n, known := r.known.Find(element[:r.KeySize]); known && r.seen[n] != notThere {
			r.seen[n] = notThere
			r.deleted++
		}
	}
	if 2*r.deleted > r.known.Len() {
		r.forgetBut(func(seen uint32) bool { return seen != notThere })
	}
}

// forgetAll forgets all keys.
func (r *mapReader) forgetAll() { r.known, r.seen, r.deleted = keys.New(r.KeySize), nil, 0 }
