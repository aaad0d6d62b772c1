package values

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var fileRecipes = []recipe{
	{
		script: "fsync",
		work: func(t *testing.T, did ledger) {
			file, _, _ := syncedFile(t)
			for range times {
				did["calls"]++
				did.timed(func() { _ = unix.Fsync(file) })
				_ = unix.Fdatasync(file)
			}
		},
		compared: func(t *testing.T, did ledger) []comparison {
			return []comparison{
				{ours: ours("ply_fsync_seconds_count", "operation", "fsync"), source: "perf's count of sys_exit_fsync", theirs: perfTracepoint(t, "syscalls/sys_exit_fsync"), least: times},
				{ours: ours("ply_fsync_seconds_count", "operation", "fdatasync"), source: "perf's count of sys_exit_fdatasync", theirs: perfTracepoint(t, "syscalls/sys_exit_fdatasync"), least: times},
				didTake(ours("ply_fsync_seconds_sum", "operation", "fsync"), did, 0.001),
			}
		},
	},
	{
		script: "commit",
		work: func(t *testing.T, did ledger) {
			file, _, _ := syncedFile(t)
			for range times {
				start := time.Now()
				_ = unix.Fdatasync(file)
				if took := time.Since(start); took <= 100*time.Millisecond {
					did["fast"]++
				}
				did["calls"]++
			}
		},
		compared: func(_ *testing.T, did ledger) []comparison {
			return []comparison{
				{ours: ours("ply_commit_seconds_count"), source: "how often it was called", theirs: did.of("calls"), least: times},
				{ours: ours("ply_commit_seconds_bucket", "le", "0.1"), source: "the caller's clock", theirs: did.of("fast"), least: times / 2},
			}
		},
	},
}
