package kernel

import (
	"cmp"
	"iter"
	"slices"
	"strings"
)

// Nearest returns up to n of the candidates that a misspelled name may mean,
// the likeliest first: those few edits away, then those that contain the name
// or are contained in it.
func Nearest(name string, candidates iter.Seq[string], n int) []string {
	type hit struct {
		name  string
		score int
	}
	var hits []hit
	search := newSearch(name)
	for candidate := range candidates {
		score, ok := search.score(candidate)
		if !ok {
			continue
		}
		at, _ := slices.BinarySearchFunc(hits, hit{candidate, score}, func(a, b hit) int {
			return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.name, b.name))
		})
		if at < len(hits) && hits[at].name == candidate || at >= n {
			continue
		}
		hits = slices.Insert(hits, at, hit{strings.Clone(candidate), score})
		hits = hits[:min(len(hits), n)]
	}
	var names []string
	for _, h := range hits {
		names = append(names, h.name)
	}
	return names
}

// minSubstring is the length from which a name found inside another says
// something.
const minSubstring = 4

// A search compares one name with many.
type search struct {
	name    string
	limit   int      // edits beyond which a name is not near
	letters [256]int // how often the name has each byte
	rows    [3][]int // of the edit distance, reused
}

func newSearch(name string) *search {
	s := &search{name: name, limit: max(2, len(name)/3)}
	if len(name) <= 2 {
		s.limit = len(name) / 2
	}
	for i := range len(name) {
		s.letters[name[i]]++
	}
	for i := range s.rows {
		s.rows[i] = make([]int, len(name)+1)
	}
	return s
}

// score returns how far a candidate is: the edits, or more than any number of
// them when one name only contains the other.
func (s *search) score(candidate string) (score int, ok bool) {
	if s.mayBeNear(candidate) {
		if d := s.distance(candidate); d <= s.limit {
			return d, true
		}
	}
	short, long := s.name, candidate
	if len(short) > len(long) {
		short, long = long, short
	}
	if len(short) >= minSubstring && len(short)*3 >= len(long) && strings.Contains(long, short) {
		return s.limit + len(long) - len(short), true
	}
	return 0, false
}

// mayBeNear rules out most names quickly: every edit changes the length by at
// most one, and brings at most one byte that the name lacks.
func (s *search) mayBeNear(candidate string) bool {
	if diff := len(candidate) - len(s.name); diff > s.limit || -diff > s.limit {
		return false
	}
	var seen [256]uint8
	foreign := 0
	for i := range len(candidate) {
		c := candidate[i]
		if seen[c]++; int(seen[c]) > s.letters[c] {
			foreign++
		}
	}
	return foreign <= s.limit
}

// distance is the number of bytes to insert, delete, replace or swap with the
// next one (optimal string alignment); anything above the limit when it is
// beyond that.
func (s *search) distance(candidate string) int {
	before, prev, row := s.rows[0], s.rows[1], s.rows[2]
	for j := range row {
		prev[j] = j
	}
	for i := 1; i <= len(candidate); i++ {
		row[0] = i
		best := i
		for j := 1; j <= len(s.name); j++ {
			same := candidate[i-1] == s.name[j-1]
			d := prev[j-1]
			if !same {
				d++
			}
			d = min(d, prev[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && candidate[i-1] == s.name[j-2] && candidate[i-2] == s.name[j-1] {
				d = min(d, before[j-2]+1)
			}
			row[j] = d
			best = min(best, d)
		}
		if best > s.limit+1 {
			return best
		}
		before, prev, row = prev, row, before
	}
	return prev[len(s.name)]
}
