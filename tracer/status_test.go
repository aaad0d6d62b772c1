package tracer

import "testing"

// Of the many programs of a glob each way of attaching is said once.
func TestJoinNew(t *testing.T) {
	all := ""
	for _, text := range []string{"raw: a; b", "", "through perf", "raw: a; b", "through perf", "raw: a"} {
		all = joinNew(all, text, " | ")
	}
	if want := "raw: a; b | through perf | raw: a"; all != want {
		t.Errorf("got %q, want %q", all, want)
	}
}
