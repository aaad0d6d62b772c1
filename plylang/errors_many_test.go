package plylang

import (
	"strings"
	"testing"
)

func TestErrorsBeyondThoseShown(t *testing.T) {
	var list ErrorList
	src := &Source{File: "x", Text: strings.Repeat("word\n", 8000)}
	for i := range 8000 {
		list.Add(src, Pos(5*i), "wrong")
	}
	for _, text := range []string{list.Error(), list.Detail()} {
		if n := strings.Count(text, ": wrong"); n != maxShown || !strings.HasSuffix(text, "\nand 7899 more errors") {
			t.Errorf("%d errors are shown, and at the end\n%s", n, text[len(text)-100:])
		}
	}
	if text := list[:maxShown].Error(); strings.Contains(text, "more errors") {
		t.Error("a short list says that there is more")
	}
}
