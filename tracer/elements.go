package tracer

import (
	"errors"
	"iter"

	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/object"
)

// Elements are the contents of a hash, and a way of reading them. There are
// three, tried in this order:
//
//   - an iterator (elements_iter.go), from kernel 5.8 on
//   - a program that goes through the map (elements_list.go), from 5.19 on,
//     since some hardened kernels refuse iterators of this kind
//   - bpf(2) (elements_lookup.go)
//
// The first two disturb nobody; the third makes the kernel skip programs that
// are attached through perf on its CPU.
type elements interface {
	// read appends each element: its key, then its value, reduced over the
	// CPUs and in the form in which it is read, then what else is stored. An
	// element that changes its place meanwhile may be there twice, or not at all.
	read(data []byte) ([]byte, error)
	close()
}

// A shape is all that a program must know of a map to read it.
type shape struct {
	keySize int
	words   int // 8-byte words of one value
	cpus    int // values per key: the possible CPUs, or 1
	reduce  object.Reduce
	timed   bool // the last word says when a value was updated: the latest counts
	packed  int  // how many words are packed, the first ones; see object.Packed
}

func shapeOf(m *object.Map, cpus int) shape {
	s := shape{keySize: m.KeySize, words: m.StoredSize() / 8, cpus: 1}
	if m.Packed() {
		s.packed = m.Size / 8
	}
	if m.Storage == object.PerCPUHash {
		s.cpus, s.reduce, s.timed = cpus, m.Reduce, m.Expiry != nil
	}
	return s
}

// joined is how many words of a value are joined by reduce.
func (s shape) joined() int {
	if s.timed {
		return s.words - 1
	}
	return s.words
}

// stride is the size of an element as it is stored.
func (s shape) stride() int { return s.keySize + 8*s.words }

// largest is the size of an element that read appends, at most.
func (s shape) largest() int { return s.stride() + s.bitmapSize() }

// tail is the size of what is behind a value that is packed.
func (s shape) tail() int { return 8 * (s.words - s.packed) }

// size is that of the element that data begins with.
func (s shape) size(data []byte) int {
	if s.packed == 0 {
		return s.stride()
	}
	return s.keySize + object.PackedSize(s.packed, data[s.keySize:]) + s.tail()
}

// each yields elements one by one.
func (s shape) each(elements []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(elements) > 0 {
			n := s.size(elements)
			if !yield(elements[:n:n]) {
				return
			}
			elements = elements[n:]
		}
	}
}

// count is how many elements there are.
func (s shape) count(elements []byte) (n int) {
	if s.packed == 0 {
		return len(elements) / s.stride()
	}
	for range s.each(elements) {
		n++
	}
	return n
}

// openElements finds the best way this kernel has. An error says why it is not
// one of those that disturb nobody.
func openElements(s shape, m *ebpf.Map) (elements, error) {
	iterator, errIter := shared.open(s, m)
	if errIter == nil {
		return iterator, nil
	}
	lister, errList := openLister(s, m)
	if errList == nil {
		return lister, nil
	}
	return lookups{s, m}, errors.Join(errIter, errList)
}
