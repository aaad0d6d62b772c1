package plylang

import "unicode/utf8"

// maxErrors is how many findings of a kind are shown: a binary file has more,
// and nobody reads them.
const maxErrors = 100

// findings are the first hundred of what is wrong with a script, or doubtful
// about it, each once.
type findings struct {
	list ErrorList
	seen map[Error]bool
	more bool // than are in list
}

// add keeps a finding, unless there are enough.
func (f *findings) add(e *Error) {
	if f.seen == nil {
		f.seen = map[Error]bool{}
	}
	switch {
	case f.seen[*e]:
	case f.full():
		f.more = true
	default:
		f.seen[*e] = true
		f.list = append(f.list, e)
	}
}

// full says whether there are as many as are shown.
func (f *findings) full() bool { return len(f.list) >= maxErrors }

// truncate forgets all but the first n.
func (f *findings) truncate(n int) {
	for _, e := range f.list[n:] {
		delete(f.seen, *e)
	}
	f.list = f.list[:n]
	f.more = f.more && f.full()
}

// sorted returns what was found by place, and says if that is not all. What
// names the findings.
func (f *findings) sorted(src *Source, what string) ErrorList {
	f.list.Sort()
	f.list = f.list.joinLacks()
	if f.more {
		f.list.Add(src, Pos(len(src.Text)), "more than %d %s: the others are not shown", maxErrors, what)
	}
	return f.list
}

// brief is an expression in a message.
func brief(x Expr) string { return short(x.String()) }

// What is left of a word that is too long for a message.
const (
	maxWord  = 100
	wordHead = 60
	wordTail = 20
)

// clip cuts the middle out of words that are too long for a message: a name or
// a specification of the script may have any length.
func clip(msg string) string {
	if len(msg) <= maxWord {
		return msg
	}
	var out []byte
	for len(msg) > 0 {
		n := wordLen(msg)
		if word := msg[:n]; n <= maxWord {
			out = append(out, word...)
		} else {
			head, tail := runeStart(word, wordHead), runeStart(word, n-wordTail)
			out = append(append(append(out, word[:head]...), "…"...), word[tail:]...)
		}
		if msg = msg[n:]; msg != "" {
			out, msg = append(out, msg[0]), msg[1:]
		}
	}
	return string(out)
}

// wordLen returns where the first blank of s is.
func wordLen(s string) int {
	n := 0
	for n < len(s) && !isBlank(s[n]) {
		n++
	}
	return n
}

// runeStart is i, or the place before it where a character of s begins.
func runeStart(s string, i int) int {
	for i > 0 && i < len(s) && !utf8.RuneStart(s[i]) {
		i--
	}
	return i
}
