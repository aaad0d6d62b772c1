package plylang

import (
	"slices"
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

// TestDidYouMeanLike: names further away, and parts of names.
func TestDidYouMeanLike(t *testing.T) {
	tests := []struct{ name, candidates, want string }{
		{"sched_swich", "sched_switch sched_wakeup sched_stat_wait", `; did you mean "sched_switch"?`},
		{"vfs_raed", "vfs_read vfs_readv vfs_write", `; did you mean "vfs_read" or "vfs_readv"?`},
		{"prev_comn", "prev_comm next_comm prev_pid", `; did you mean "prev_comm"?`},
		{"tcp_retransmit", "tcp_retransmit_skb tcp_send_ack", `; did you mean "tcp_retransmit_skb"?`},
		{"vfs_read_iter", "vfs_read read", `; did you mean "vfs_read"?`},
		{"pdi", "pid tid uid", `; did you mean "pid", "tid" or "uid"?`},
		{"tid", "aid bid cid did", `; did you mean "aid", "bid" or "cid"?`},
		{"coutn", "count sum", `; did you mean "count"?`},
		{"nothing_like_it", "vfs_read tcp_v4_rcv", ""},
		{"x", "y pid", ""},
		{"same", "same same same", `; did you mean "same"?`},
		{"", "a b", ""},
	}
	for _, test := range tests {
		if got := DidYouMeanLike(test.name, slices.Values(strings.Fields(test.candidates))); got != test.want {
			t.Errorf("%q of %s: got %q, want %q", test.name, test.candidates, got, test.want)
		}
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"abc", "abc", 0},
		{"abc", "abd", 1}, {"abc", "bc", 1}, {"kitten", "sitting", 3},
		{"read", "reda", 1}, // swapped
		{"read", "rea", 1},  // deleted
		{"read", "reaad", 1},
		{"sched_switch", "shced_swich", 2},
	}
	for _, test := range tests {
		if got := newSearch(test.a, 10).distance(test.b); got != test.want {
			t.Errorf("from %q to %q: %d edits, want %d", test.a, test.b, got, test.want)
		}
		if got := newSearch(test.b, 10).distance(test.a); got != test.want {
			t.Errorf("from %q to %q: %d edits, want %d", test.b, test.a, got, test.want)
		}
	}
	if got := newSearch("kitten", 2).distance("sitting"); got <= 2 {
		t.Errorf("beyond the limit: %d edits", got)
	}
}
