package tracer

// readSlots fills data with an element for each key that an update has reached in a
// map of slots.
func (r *mapReader) readSlots() {
	r.data = r.data[:0]
	r.EachSlot(r.cell.load, func(mark uint64, key, value []byte) {
		at := len(r.data)
		r.data = r.AppendRead(append(r.data, key...), value)
		if !r.Written(mark, r.data[at+len(key):]) {
			r.data = r.data[:at]
		}
	})
}
