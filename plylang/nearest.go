package plylang

import (
	"fmt"
	"sort"
	"strings"
)

// DidYouMean returns the end of a message about a name that does not exist:
// "; did you mean "a" or "b"?" with the candidates that are nearest to it, or
// "" when none is near.
func DidYouMean(name string, candidates []string) string {
	return didYouMean(Nearest(name, candidates))
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

// Nearest returns at most three candidates with the smallest edit distance to
// name, if a typist could have meant them: one edit for short names, one for
// each three letters of longer ones. They come in alphabetical order.
func Nearest(name string, candidates []string) []string {
	const maxLen, maxAnswers = 64, 3
	if len(name) > maxLen {
		return nil
	}
	best := max(1, len(name)/3)
	found := map[string]bool{}
	for _, c := range candidates {
		if len(c) > len(name)+best || len(c) < len(name)-best || c == name || found[c] {
			continue
		}
		d := editDistance(name, c)
		if d > best || d >= max(len(name), len(c)) {
			continue
		}
		if d < best {
			best = d
			clear(found)
		}
		found[c] = true
	}
	out := make([]string, 0, len(found))
	for c := range found {
		out = append(out, c)
	}
	sort.Strings(out)
	return out[:min(len(out), maxAnswers)]
}

// editDistance counts the insertions, deletions, replacements and swaps of
// neighbors that turn a into b.
func editDistance(a, b string) int {
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}
