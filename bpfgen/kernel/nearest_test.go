package kernel

import (
	"slices"
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	tests := []struct{ name, candidates, want string }{
		{"sched_swich", "sched_switch sched_wakeup sched_stat_wait", "sched_switch"},
		{"vfs_raed", "vfs_read vfs_readv vfs_write", "vfs_read vfs_readv"},
		{"prev_comn", "prev_comm next_comm prev_pid", "prev_comm"},
		{"tcp_retransmit", "tcp_retransmit_skb tcp_send_ack", "tcp_retransmit_skb"},
		{"vfs_read_iter", "vfs_read read", "vfs_read"},
		{"pdi", "pid tid uid", "pid tid"},
		{"coutn", "count sum", "count"},
		{"nothing_like_it", "vfs_read tcp_v4_rcv", ""},
		{"x", "y pid", ""},
		{"same", "same same same", "same"},
		{"", "a b", ""},
	}
	for _, tt := range tests {
		got := Nearest(tt.name, slices.Values(strings.Fields(tt.candidates)), 2)
		if strings.Join(got, " ") != tt.want {
			t.Errorf("Nearest(%q) of %s = %q, want %q", tt.name, tt.candidates, got, tt.want)
		}
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"read", "read", 0},
		{"read", "reda", 1}, // swapped
		{"read", "rea", 1},  // deleted
		{"read", "reaad", 1},
		{"read", "reed", 1},
		{"sched_switch", "shced_swich", 2},
	}
	for _, tt := range tests {
		if got := newSearch(tt.a).distance(tt.b); got != tt.want {
			t.Errorf("from %s to %s: %d edits, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := newSearch(tt.b).distance(tt.a); got != tt.want {
			t.Errorf("from %s to %s: %d edits, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}
