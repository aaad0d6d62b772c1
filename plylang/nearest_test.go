package plylang

import (
	"strings"
	"testing"
)

func TestDidYouMean(t *testing.T) {
	names := []string{"pid", "tid", "uid", "comm", "prev_comm", "quantize", "lquantize", "llquantize", "nsecs", "x"}
	tests := []struct{ name, want string }{
		{"comn", `; did you mean "comm"?`},
		{"ocmm", `; did you mean "comm"?`},
		{"prev_comn", `; did you mean "prev_comm"?`},
		{"quantise", `; did you mean "quantize"?`},
		{"kid", `; did you mean "pid", "tid" or "uid"?`},
		{"lquantise", `; did you mean "lquantize"?`},
		{"pid", `; did you mean "tid" or "uid"?`},
		{"y", ""},
		{"xyzzy", ""},
		{"", ""},
		{strings.Repeat("a", 100), ""},
	}
	for _, test := range tests {
		if got := DidYouMean(test.name, names); got != test.want {
			t.Errorf("%q: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"abc", "abc", 0},
		{"abc", "abd", 1}, {"abc", "acb", 1}, {"abc", "bc", 1}, {"kitten", "sitting", 3},
	}
	for _, test := range tests {
		if got := editDistance(test.a, test.b); got != test.want {
			t.Errorf("%q to %q: %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
