package object

import "testing"

func TestSites(t *testing.T) {
	for _, row := range []struct {
		site      Site
		key, text string
	}{
		{Tracepoint{"sched", "sched_switch"}, "sched/sched_switch", "sched/sched_switch"},
		{RawTracepoint{"sched_switch"}, "sched_switch", "sched_switch"},
		{Function{Symbol: "vfs_read"}, "vfs_read+0@0", "vfs_read"},
		{Function{Symbol: "vfs_read", Offset: 4}, "vfs_read+4@0", "vfs_read+4"},
		{Function{Symbol: "show", Addr: 0x1000}, "show+0@1000", "show at 0x1000"},
		{Function{Symbol: "show", Addr: 0x1000, Offset: 4}, "show+4@1000", "show at 0x1004"},
		{Function{Addr: 0x1000}, "+0@1000", "0x1000"},
		{PerfEvent{Name: "99hz", Type: 1, Freq: 99, CPUs: []int{0, 1}}, "99hz 1 0x0 0 99 [0 1]", "99hz"},
		{Once{"BEGIN"}, "BEGIN", "BEGIN"},
	} {
		if row.site.Key() != row.key || row.site.String() != row.text {
			t.Errorf("%T has key %q and text %q, want %q and %q", row.site, row.site.Key(), row.site, row.key, row.text)
		}
	}
}
