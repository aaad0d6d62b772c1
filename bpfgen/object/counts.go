package object

import "encoding/binary"

// Sum returns the sum of a histogram's value.
func (m *Map) Sum(value []byte) Number { return m.number(value, m.Value != nil && m.Value.Signed) }

// A Count is a bucket of a histogram and how many numbers it holds.
type Count struct {
	Bucket int
	N      uint64
}

// AppendCounts appends the buckets of a histogram's value that are not empty. Each
// scrape does it for each series, so it does without walkCounts.
func (m *Map) AppendCounts(list []Count, value []byte) []Count {
	buckets := uint(m.Buckets.Len())
	m.walk(value, value, func(first int, words, _ []byte) bool {
		for i := 0; i+8 <= len(words); i += 8 {
			n, bucket := binary.LittleEndian.Uint64(words[i:]), first+i/8-1
			if n != 0 && uint(bucket) < buckets {
				list = append(list, Count{bucket, n})
			}
		}
		return true
	})
	return list
}

// Count is how many numbers a histogram's value holds.
func (m *Map) Count(value []byte) (all uint64) {
	m.walkCounts(value, func(_ int, n uint64) bool {
		all += n
		return true
	})
	return all
}

// Negatives is how many of the numbers in a histogram's value are in its first buckets,
// those of negative numbers.
func (m *Map) Negatives(value []byte, buckets int) (sum uint64) {
	m.walkCounts(value, func(bucket int, n uint64) bool {
		if bucket < buckets {
			sum += n
		}
		return bucket < buckets
	})
	return sum
}

// walkCounts calls visit with the buckets that are not empty, as long as it returns true.
func (m *Map) walkCounts(value []byte, visit func(bucket int, n uint64) bool) {
	buckets := uint(m.Buckets.Len())
	m.walk(value, value, func(first int, words, _ []byte) bool {
		bucket := first - 1 // before them is the sum
		for ; len(words) >= 8; words = words[8:] {
			n := binary.LittleEndian.Uint64(words)
			if n != 0 && uint(bucket) < buckets && !visit(bucket, n) {
				return false
			}
			bucket++
		}
		return true
	})
}

// anyFell says whether the counter of a bucket is smaller now than before.
func (m *Map) anyFell(before, now []byte) (fell bool) {
	buckets := uint(m.Buckets.Len())
	m.walk(before, now, func(first int, x, y []byte) bool {
		for i := range len(x) / 8 {
			fell = fell || Word(y, i) < Word(x, i) && uint(first+i-1) < buckets
		}
		return !fell
	})
	return fell
}
