package values

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

var memoryRecipes = []recipe{
	{
		script: "reclaim",
		start: func(t *testing.T, _ ledger) (func(), []comparison) {
			onDisk(t)
			c := newMemoryCgroup(t)
			direct, limit := perfTracepoint(t, "vmscan/mm_vmscan_direct_reclaim_begin"), perfTracepoint(t, "vmscan/mm_vmscan_memcg_reclaim_begin")
			both := func(t *testing.T) float64 { return direct(t) + limit(t) }
			return func() { run(t, workload("read", c.folder)) }, []comparison{
				{ours: ours("ply_reclaim_seconds_count", "cgroup", c.label()), source: "perf's count of both beginnings", theirs: both, least: 10},
				{ours: ours("ply_reclaim_seconds_count"), source: "perf's count of both beginnings", theirs: both, least: 10},
			}
		},
	},
	{
		script: "oom",
		start: func(t *testing.T, _ ledger) (func(), []comparison) {
			c := newMemoryCgroup(t)
			kill := func() {
				var killed *exec.ExitError
				if err := workload("allocate", c.folder).Run(); !errors.As(err, &killed) || killed.Exited() {
					t.Errorf("the process that takes too much memory ends with: %v", err)
				}
			}
			return kill, []comparison{{ours: ours("ply_oom_kills_total", "cgroup", c.label()), source: "oom_kill of the cgroup", theirs: c.oomKills()}}
		},
	},
	{
		script: "major_faults",
		start: func(t *testing.T, _ ledger) (func(), []comparison) {
			disk := onDisk(t)
			return func() { majorFaults(t, disk) }, []comparison{
				{ours: ours("ply_major_faults_total"), source: "perf's count of major-faults", theirs: perfCount(t, unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_PAGE_FAULTS_MAJ), least: faults / 2},
			}
		},
	},
	{
		script: "page_cache",
		start: func(t *testing.T, did ledger) (func(), []comparison) {
			file := inMemory(t)
			page := make([]byte, os.Getpagesize())
			fill := func() {
				for i := range 2 * times { // what is there already is not added
					if _, err := file.WriteAt(page, int64(i%times*len(page))); err != nil {
						t.Fatal(err)
					}
				}
				did["pages"] += times
			}
			return fill, []comparison{{ours: ours("ply_page_cache_pages_total", "device", deviceOf(t, file)), source: "what was written", theirs: did.of("pages"), least: times}}
		},
	},
}

// label is how scripts show the cgroup: those of version 1 they do not see.
func (c memoryCgroup) label() string {
	if c.v1 {
		return "/"
	}
	return "/" + filepath.Base(c.folder)
}

var kernelRecipes = []recipe{
	{
		script: "kernel_locks", here: tellsContention,
		start: func(t *testing.T, _ ledger) (func(), []comparison) {
			waits := perfTracepoint(t, "lock/contention_begin")
			return func() { contendForMemory(t, waits) }, []comparison{ // perf leaves out what happens while it handles another event
				{ours: ours("ply_kernel_locks_waits_total"), source: "perf's count of contention_begin", theirs: waits, slack: times / 2, least: 8 * times},
			}
		},
	},
	{
		script: "module_loads", here: need.InGuest, // this machine's kernel may have no modules
		start: func(_ *testing.T, did ledger) (func(), []comparison) {
			load := func() {
				for range times {
					if unix.FinitModule(-1, "", 0) == unix.EBADF {
						did["EBADF"]++
					}
				}
			}
			return load, []comparison{{ours: ours("ply_module_loads_total", "user", "root", "errno", "EBADF"), source: "what the call returns", theirs: did.of("EBADF"), least: times}}
		},
	},
}
