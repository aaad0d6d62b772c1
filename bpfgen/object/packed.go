package object

import (
	"encoding/binary"
	"math/bits"
)

// Packed values
//
// A histogram can have a thousand buckets, most of which are empty. So the values of maps
// of such histograms are packed when they are read: 8 words that lie side by side are a
// block, and of the blocks only those are there that are not all zeros. Before them is a
// bitmap of all blocks, in as many words as it takes. What is done with values that were
// read is done by methods of Map, which take and return them as they are read.

// BlockWords is how many words a block has; the last one of a value may have less.
const BlockWords = 8

// packedFrom is from how many words on values are packed.
const packedFrom = 256

// Packed says whether the values of m are packed when they are read.
func (m *Map) Packed() bool { return m.Shape == ShapeHistogram && m.Size/8 >= packedFrom }

// BitmapWords is how many words the bitmap has of a value of so many words.
func BitmapWords(words int) int { return padded(words, 64*BlockWords) / (64 * BlockWords) }

// PackedSize is how many bytes the value of so many words has that packed begins with.
func PackedSize(words int, packed []byte) int {
	bitmap := packed[:8*BitmapWords(words)]
	n := 0
	for at := 0; at < len(bitmap); at += 8 {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(bitmap[at:]))
	}
	size := len(bitmap) + 8*BlockWords*n
	if last, less := (words-1)/BlockWords, padded(words, BlockWords)-words; bitmap[last/8]>>(last%8)&1 != 0 {
		size -= 8 * less
	}
	return size
}

// ReadSize is how many bytes the value has that a list of values as they are read begins with,
// and whether it is whole.
func (m *Map) ReadSize(list []byte) (size int, whole bool) {
	size = m.Size
	if m.Packed() {
		if len(list) < 8*BitmapWords(m.Size/8) {
			return 0, false
		}
		size = PackedSize(m.Size/8, list)
	}
	return size, size <= len(list)
}

// AppendRead appends a value that is stored in m in the form in which it is read.
func (m *Map) AppendRead(list, stored []byte) []byte {
	if !m.Packed() {
		return append(list, stored...)
	}
	return AppendPacked(list, stored)
}

// AppendPacked appends a value that it packs.
func AppendPacked(list, value []byte) []byte {
	p := packing{list, len(list)}
	p.list = append(p.list, make([]byte, 8*BitmapWords(len(value)/8))...)
	const size = 8 * BlockWords
	for at := 0; at < len(value); at += size {
		p.add(at/8, value[at:min(at+size, len(value))])
	}
	return p.list
}

// A packing is a value that is being packed, from a place in a list on.
type packing struct {
	list  []byte
	begin int
}

// add adds a block, which begins with a word of the value.
func (p *packing) add(first int, block []byte) {
	if isZero(block) {
		return
	}
	p.list = append(p.list, block...)
	n := first / BlockWords
	p.list[p.begin+n/8] |= 1 << (n % 8)
}

// AppendStored appends a value that was read in the form in which it is stored.
func (m *Map) AppendStored(list, value []byte) []byte {
	if !m.Packed() {
		return append(list, value...)
	}
	begin := len(list)
	list = append(list, make([]byte, m.Size)...)
	m.walk(value, value, func(first int, words, _ []byte) bool {
		copy(list[begin+8*first:], words)
		return true
	})
	return list
}

// Nothing is the value of a key for which nothing was counted.
func (m *Map) Nothing() []byte { return m.AppendRead(nil, make([]byte, m.Size)) }

// IsNothing says whether a value has no word but zeros.
func (m *Map) IsNothing(value []byte) bool { return isZero(value) }

func isZero(words []byte) bool {
	any := uint64(0)
	for ; len(words) >= 8; words = words[8:] {
		any |= binary.LittleEndian.Uint64(words)
	}
	return any == 0
}

// walk calls visit with the words of two values, as long as it returns true: with words
// of both from a first one on. What it leaves out is zero in both.
func (m *Map) walk(a, b []byte, visit func(first int, x, y []byte) bool) {
	if !m.Packed() {
		visit(0, a, b)
		return
	}
	words := m.Size / 8
	head := 8 * BitmapWords(words)
	restA, restB := a[head:], b[head:]
	for at := 0; at < head; at += 8 {
		inA, inB := binary.LittleEndian.Uint64(a[at:]), binary.LittleEndian.Uint64(b[at:])
		for left := inA | inB; left != 0; left &= left - 1 {
			bit := left & -left
			first := BlockWords * (8*at + bits.TrailingZeros64(left))
			size := 8 * min(BlockWords, words-first)
			x, y := zeros[:size], zeros[:size]
			if inA&bit != 0 {
				x, restA = restA[:size], restA[size:]
			}
			if inB&bit != 0 {
				y, restB = restB[:size], restB[size:]
			}
			if !visit(first, x, y) {
				return
			}
		}
	}
}

// zeros are the words of a block that is not there.
var zeros [8 * BlockWords]byte

// AppendJoined appends what two values of different keys are together.
func (m *Map) AppendJoined(list, a, b []byte) []byte {
	return m.appendEach(list, a, b, reductions[m.Reduce].join)
}

// AppendGrowth appends by how much a value has grown, word by word.
func (m *Map) AppendGrowth(list, before, now []byte) []byte {
	return m.appendEach(list, before, now, func(x, y uint64) uint64 { return y - x })
}

// appendEach appends what of makes of each two words; of zeros, it must make zero.
func (m *Map) appendEach(list, a, b []byte, of func(x, y uint64) uint64) []byte {
	p := packing{list, len(list)}
	if m.Packed() {
		p.list = append(p.list, make([]byte, 8*BitmapWords(m.Size/8))...)
	}
	m.walk(a, b, func(first int, x, y []byte) bool {
		if !m.Packed() {
			p.list = appendWords(p.list, x, y, of)
			return true
		}
		var block [8 * BlockWords]byte
		p.add(first, appendWords(block[:0], x, y, of))
		return true
	})
	return p.list
}

func appendWords(list, x, y []byte, of func(x, y uint64) uint64) []byte {
	for at := 0; at < len(x); at += 8 {
		list = binary.LittleEndian.AppendUint64(list, of(binary.LittleEndian.Uint64(x[at:]), binary.LittleEndian.Uint64(y[at:])))
	}
	return list
}

// ends are the first and the last word of a value.
func (m *Map) ends(value []byte) (first, last uint64) {
	if !m.Packed() {
		return Word(value, 0), Word(value, len(value)/8-1)
	}
	blocks := value[8*BitmapWords(m.Size/8):]
	if value[0]&1 != 0 {
		first = Word(blocks, 0)
	}
	if n := (m.Size/8 - 1) / BlockWords; value[n/8]>>(n%8)&1 != 0 {
		last = Word(blocks, len(blocks)/8-1)
	}
	return first, last
}
