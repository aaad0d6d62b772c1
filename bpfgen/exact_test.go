package bpfgen_test

import (
	"slices"
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

// Which counts have the events that the kernel skips.
func TestMissedBy(t *testing.T) {
	for _, row := range []struct {
		kernel, script string
		want           []int // of the first map
		exact          bool  // the first program
	}{
		{"6.18-amd64", `t:sched/sched_switch { @ = count(); }`, []int{0}, true},
		{"7.3-amd64", `t:raw_syscalls/sys_enter { @ = count(); }`, []int{0}, true},
		{"6.18-amd64", `rt:sched_switch, t:block/block_rq_issue { @ = count(); }`, []int{0, 1}, true},
		{"6.18-amd64", `t:sched/sched_switch { @ = count(); @ = count(); @k[cpu] = count(); }`, []int{0, 0}, false},
		{"6.18-amd64", `t:sched/sched_switch { @ = count(); if (cpu) { return; } }`, []int{0}, false},
		{"6.18-amd64", `t:sched/sched_switch { @a = count(); @b = count(); }`, []int{0}, true},
		{"6.18-amd64", `t:sched/sched_switch { if (cpu) { return; } @ = count(); }`, nil, false},
		{"6.18-amd64", `t:sched/sched_switch { if (cpu) { exit(0); } @ = count(); }`, nil, false},
		{"6.18-amd64", `t:sched/sched_switch { if (cpu) { @ = count(); } }`, nil, false},
		{"6.18-amd64", `t:sched/sched_switch / cpu / { @ = count(); }`, nil, false},
		{"6.18-amd64", `t:sched/sched_switch { @ = count(); } t:block/block_rq_issue / cpu / { @ = count(); }`, nil, false},
		{"6.18-amd64", `t:sched/sched_switch { @[cpu] = count(); }`, nil, false},
		{"6.18-amd64", `t:sched/sched_switch { @ = sum(1); }`, nil, false},
		{"6.18-amd64", `kprobe:sys_read { @ = count(); }`, nil, false},
		{"6.18-amd64", `profile:10hz { @ = count(); }`, nil, false},
		{"7.3-amd64", `kprobe:vfs_read { @ = count(); }`, nil, false},
		{"6.18-amd64", `t:sched/sched_switch { @ = count(); } interval:1s { clear(@); }`, nil, false},
		{"6.18-amd64", `t:sched/sched_switch { @ = count(); } interval:1s { delete @; }`, nil, false},
		{"5.10-amd64", `t:sched/sched_switch { @ = count(); }`, nil, false},
	} {
		k, err := kernel.Open(recorded.Files(row.kernel))
		if err != nil {
			t.Fatal(err)
		}
		obj, err := bpfgen.Build(&plylang.Source{Text: row.script}, k, bpfgen.Options{Run: true}, nil)
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		if got := obj.Maps[0].MissedBy; !slices.Equal(got, row.want) || obj.Programs[0].Exact != row.exact {
			t.Errorf("%s: misses of %v are added, want %v; exact: %v", row.script, got, row.want, obj.Programs[0].Exact)
		}
	}
}
