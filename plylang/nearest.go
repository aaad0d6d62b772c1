package plylang

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// maxAnswers is how many names a message suggests.
const maxAnswers = 3

// DidYouMean returns the end of a message about a name that does not exist:
// "; did you mean "a" or "b"?" with the candidates that are nearest to it, or
// "" when none is near.
func DidYouMean(name string, candidates []string) string {
	return didYouMean(nearest(name, candidates))
}

// DidYouMeanLike is DidYouMean for names of which there are very many, and
// many alike, as a kernel's functions: it suggests names further away too, and
// those that contain the name or are contained in it, the likeliest first.
func DidYouMeanLike(name string, candidates iter.Seq[string]) string {
	return didYouMean(similar(name, candidates))
}

func didYouMean(near []string) string {
	if len(near) == 0 {
		return ""
	}
	quoted := make([]string, len(near))
	for i, n := range near {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	if n := len(quoted); n > 1 {
		quoted = []string{strings.Join(quoted[:n-1], ", "), quoted[n-1]}
	}
	return "; did you mean " + strings.Join(quoted, " or ") + "?"
}

// nearest returns the candidates with the smallest edit distance to name, if a
// typist could have meant them: one edit for short names, one for each three
// letters of longer ones. They come in alphabetical order.
func nearest(name string, candidates []string) []string {
	const maxLen = 64
	if len(name) > maxLen {
		return nil
	}
	search := newSearch(name, max(1, len(name)/3))
	var found []string
	for _, c := range candidates {
		d := search.distance(c)
		if d > search.limit || d >= max(len(name), len(c)) || c == name || slices.Contains(found, c) {
			continue
		}
		if d < search.limit {
			search.limit, found = d, nil
		}
		found = append(found, c)
	}
	slices.Sort(found)
	return found[:min(len(found), maxAnswers)]
}

// similar returns the candidates that are few edits away from name, then those
// that contain it or are contained in it.
func similar(name string, candidates iter.Seq[string]) []string {
	type hit struct {
		name  string
		score int
	}
	limit := max(2, len(name)/3)
	if len(name) <= 2 {
		limit = len(name) / 2
	}
	search := newSearch(name, limit)
	var hits []hit
	for candidate := range candidates {
		score, ok := search.score(candidate)
		if !ok {
			continue
		}
		at, _ := slices.BinarySearchFunc(hits, hit{candidate, score}, func(a, b hit) int {
			return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.name, b.name))
		})
		if at < len(hits) && hits[at].name == candidate || at >= maxAnswers {
			continue
		}
		hits = slices.Insert(hits, at, hit{strings.Clone(candidate), score})
		hits = hits[:min(len(hits), maxAnswers)]
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

func newSearch(name string, limit int) *search {
	s := &search{name: name, limit: limit}
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
	if d := s.distance(candidate); d <= s.limit {
		return d, true
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

// distance is the number of bytes to insert, delete, replace or swap with the
// next one (optimal string alignment); anything above the limit when it is
// beyond that.
func (s *search) distance(candidate string) int {
	if !s.mayBeNear(candidate) {
		return s.limit + 1
	}
	before, prev, row := s.rows[0], s.rows[1], s.rows[2]
	for j := range row {
		prev[j] = j
	}
	for i := 1; i <= len(candidate); i++ {
		best := s.nextRow(before, prev, row, candidate, i)
		if best > s.limit+1 {
			return best
		}
		before, prev, row = prev, row, before
	}
	return prev[len(s.name)]
}

// nextRow fills the row of the first i bytes of a candidate, and returns its
// smallest number.
func (s *search) nextRow(before, prev, row []int, candidate string, i int) int {
	row[0] = i
	best := i
	for j := 1; j <= len(s.name); j++ {
		d := prev[j-1]
		if candidate[i-1] != s.name[j-1] {
			d++
		}
		d = min(d, prev[j]+1, row[j-1]+1)
		if i > 1 && j > 1 && candidate[i-1] == s.name[j-2] && candidate[i-2] == s.name[j-1] {
			d = min(d, before[j-2]+1)
		}
		row[j] = d
		best = min(best, d)
	}
	return best
}

// mayBeNear rules out most names quickly: every edit changes the length by at
// most one, and brings at most one byte that the name does not have.
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
