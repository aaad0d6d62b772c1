package exporter

import "ply-exporter/bpfgen/object"

// A valueList holds the values of a map's series or keys, by number, in the form in which
// they are read. They lie side by side, without a pointer. Values that are packed have
// different sizes: one that has become larger moves to the end, and all move together when
// more is lost by that than is used.
type valueList struct {
	mp      *object.Map
	nothing []byte // the value that all have at first
	bytes   []byte
	regions []region // where values are that are packed; an empty one is of nothing
	lost    int      // how many bytes are of no region
	spare   []byte
}

type region struct{ from, to uint32 }

func newValueList(mp *object.Map) valueList { return valueList{mp: mp, nothing: mp.Nothing()} }

// grow makes room for so many values.
func (v *valueList) grow(n int) {
	if v.mp.Packed() {
		v.regions = grown(v.regions, n)
	} else {
		v.bytes = grown(v.bytes, n*v.mp.Size)
	}
}

// grown returns a list of at least n elements, of which the new ones are zero.
func grown[T any](list []T, n int) []T { return append(list, make([]T, max(0, n-len(list)))...) }

// reset makes all values nothing.
func (v *valueList) reset() {
	clear(v.regions)
	if v.lost = 0; v.mp.Packed() {
		v.bytes = v.bytes[:0]
	} else {
		clear(v.bytes)
	}
}

// at is the value of a number, valid until a value is set.
func (v *valueList) at(n uint32) []byte {
	if !v.mp.Packed() {
		from, to := int(n)*v.mp.Size, int(n+1)*v.mp.Size
		return v.bytes[from:to:to]
	}
	if r := v.regions[n]; r.from < r.to {
		return v.bytes[r.from:r.to:r.to]
	}
	return v.nothing
}

func (v *valueList) set(n uint32, value []byte) {
	if !v.mp.Packed() {
		copy(v.at(n), value)
		return
	}
	r := &v.regions[n]
	if v.lost += int(r.to - r.from); len(value) <= int(r.to-r.from) {
		v.lost -= len(value)
		copy(v.bytes[r.from:], value)
	} else {
		r.from = uint32(len(v.bytes))
		v.bytes = append(v.bytes, value...)
	}
	r.to = r.from + uint32(len(value))
	if 2*v.lost > len(v.bytes) {
		v.copyFrom(v)
	}
}

// join joins a value to that of a number.
func (v *valueList) join(n uint32, value []byte) {
	if !v.mp.Packed() {
		v.mp.Reduce.Join(v.at(n), value)
		return
	}
	v.spare = v.mp.AppendJoined(v.spare[:0], v.at(n), value)
	v.set(n, v.spare)
}

// copyFrom makes the values those of others, which may be the same.
func (v *valueList) copyFrom(others *valueList) {
	if !v.mp.Packed() {
		v.bytes = append(v.bytes[:0], others.bytes...)
		return
	}
	to := valueList{mp: v.mp, nothing: v.nothing, bytes: make([]byte, 0, len(others.bytes)-others.lost), regions: make([]region, len(others.regions))}
	for n := range others.regions {
		if r := others.regions[n]; r.from < r.to {
			to.regions[n].from = uint32(len(to.bytes))
			to.bytes = append(to.bytes, others.at(uint32(n))...)
			to.regions[n].to = uint32(len(to.bytes))
		}
	}
	*v = to
}
