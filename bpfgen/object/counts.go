package object

import "encoding/binary"

// Sum returns the sum of a histogram's value.
func (m *Map) Sum(value []byte) Number { return m.number(value, m.Value != nil && m.Value.Signed) }

// A Count is a bucket of a histogram and how many numbers it holds.
type Count struct {
	Bucket int
	N      uint64
}

// AppendCounts appends the buckets of a histogram's value that are not empty.
func (m *Map) AppendCounts(list []Count, value []byte) []Count {
	words := m.counters(value)
	for i := nextCount(words, 0); 8*i < len(words); i = nextCount(words, i+1) {
		list = append(list, Count{i, Word(words, i)})
	}
	return list
}

// Negatives is how many of the numbers in a histogram's value are in its first buckets,
// those of negative numbers.
func (m *Map) Negatives(value []byte, buckets int) (sum uint64) {
	words := m.counters(value)[:8*buckets]
	for i := nextCount(words, 0); i < buckets; i = nextCount(words, i+1) {
		sum += Word(words, i)
	}
	return sum
}

// nextCount returns which word, from i on, is the first that is not 0. Most are: a native
// histogram has a thousand buckets, and each is looked at several times in a scrape.
func nextCount(words []byte, i int) int {
	at := 8 * i
	const stride = 4 * 8
	for ; at+stride <= len(words); at += stride {
		if w := words[at : at+stride : at+stride]; binary.LittleEndian.Uint64(w)|binary.LittleEndian.Uint64(w[8:])|
			binary.LittleEndian.Uint64(w[16:])|binary.LittleEndian.Uint64(w[24:]) != 0 {
			break
		}
	}
	for ; at < len(words) && binary.LittleEndian.Uint64(words[at:]) == 0; at += 8 {
	}
	return at / 8
}

// anyFell says whether a word is smaller now than before.
func anyFell(before, now []byte) bool {
	for at := 0; at+8 <= min(len(before), len(now)); at += 8 {
		if binary.LittleEndian.Uint64(now[at:]) < binary.LittleEndian.Uint64(before[at:]) {
			return true
		}
	}
	return false
}
