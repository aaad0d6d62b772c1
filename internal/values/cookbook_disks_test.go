package values

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

var diskRecipes = []recipe{
	{
		script: "filesystem_reads", here: need.HasKprobes,
		start: func(t *testing.T, did ledger) (func(), []comparison) {
			file := inMemory(t)
			read := func() {
				for range times {
					did.timed(func() { _, _ = file.ReadAt(make([]byte, 8), 0) })
					did["reads"]++
				}
			}
			return read, []comparison{
				{ours: ours("ply_filesystem_reads_seconds_count", "filesystem", "ramfs"), source: "how often it was read", theirs: did.of("reads"), least: times},
				didTake(ours("ply_filesystem_reads_seconds_sum", "filesystem", "ramfs"), did, 0.001),
			}
		},
	},
	{
		script: "request_size",
		start: func(t *testing.T, _ ledger) (func(), []comparison) {
			d := newLoopDisk(t)
			var list []comparison
			for operation, column := range map[string]int{"read": sectorsRead, "write": sectorsWritten} {
				list = append(list, comparison{ours: ours("ply_request_size_bytes_sum", "device", d.name, "operation", operation), source: "sectors, /proc/diskstats",
					theirs: d.stat(column, sector), least: requests * sector})
			}
			return func() { d.use(t) }, list
		},
	},
	{
		script: "disk_errors", here: need.InGuest, // with a driver that makes errors
		start: func(t *testing.T, did ledger) (func(), []comparison) {
			d := newNullDisk(t, map[string]string{"size": "16", "memory_backed": "1", "badblocks": "+8-15"})
			data := buffer(t, 4096)
			fail := func() {
				for range times {
					_, err := unix.Pread(d.fd, data, 8*sector)
					did["EIO"] += isEIO(err)
				}
			}
			return fail, []comparison{{ours: ours("ply_disk_errors_total", "device", d.name, "operation", "read", "errno", "EIO"), source: "what pread returns", theirs: did.of("EIO"), least: times}}
		},
	},
	{
		script: "writeback",
		start: func(t *testing.T, _ ledger) (func(), []comparison) {
			return func() { dirtyAndSync(t) }, []comparison{
				{ours: ours("ply_writeback_starts_total"), source: "perf's count of writeback_start", theirs: perfTracepoint(t, "writeback/writeback_start")},
				{ours: ours("ply_writeback_starts_total", "reason", "sync"), source: "perf's count of writeback_start", theirs: perfTracepoint(t, "writeback/writeback_start"), slack: 20},
			}
		},
	},
}

// dirtyAndSync writes into the page cache and has all of it written to the disk:
// on this machine of the file system, in guests, which have none on a disk, of all.
func dirtyAndSync(t *testing.T) {
	if need.InGuest() {
		file, err := os.OpenFile("/dev/"+newLoopDisk(t).name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := file.Write(make([]byte, 1<<16)); err != nil {
			t.Fatal(err)
		}
		unix.Sync()
		return
	}
	file, _, _ := syncedFile(t)
	if err := unix.Syncfs(file); err != nil {
		t.Fatal(err)
	}
}
