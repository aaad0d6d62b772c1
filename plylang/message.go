package plylang

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much of a script a message quotes.

// short keeps long text out of messages.
func short(s string) string {
	if len(s) > 40 {
		return s[:runeStart(s, 37)] + "…"
	}
	return s
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

// runeStart is i, or the position before it where a character of s begins.
func runeStart(s string, i int) int {
	for i > 0 && i < len(s) && !utf8.RuneStart(s[i]) {
		i--
	}
	return i
}

// excerpt makes a line fit to be shown: at most 120 bytes around offset, with
// what would upset a terminal replaced by question marks.
func excerpt(text string, offset int) (string, int) {
	const width = 120
	if len(text) > width {
		start := runeStart(text, max(0, min(offset-width/2, len(text)-width)))
		end := runeStart(text, start+width)
		text, offset = text[start:end], offset-start
	}
	var b strings.Builder
	at := 0
	for i, r := range text {
		if i <= offset {
			at = b.Len()
		}
		if r != '\t' && (r == utf8.RuneError || !unicode.IsPrint(r)) {
			r = '?'
		}
		b.WriteRune(r)
	}
	if offset >= len(text) {
		at = b.Len()
	}
	return b.String(), at
}
