package values

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

func TestSync(t *testing.T) {
	need.EachKernel(t)
	s := serve(t, load(t, "sync.yaml"))
	did := ledger{}
	list := []comparison{
		{ours: ours("ply_sync_errors_total", "operation", "fsync", "errno", "EINVAL"), source: "what fsync of a pipe returns", theirs: did.of("EINVAL"), least: syncs},
		{ours: ours("ply_sync_errors_total", "operation", "sync_file_range", "errno", "EBADF"), source: "what sync_file_range returns", theirs: did.of("EBADF"), least: syncs},
	}
	for _, call := range []string{"fsync", "fdatasync", "sync_file_range", "msync", "syncfs"} {
		list = append(list, comparison{
			ours: ours("ply_sync_latency_seconds_count", "operation", call), source: "perf's count of sys_exit_" + call,
			theirs: perfTracepoint(t, "syscalls/sys_exit_"+call), least: syncs,
		})
	}
	compare(t, s, func() { syncAll(t, did) }, list...)
}

// syncs is how often syncAll makes each call.
const syncs = 30

func syncAll(t *testing.T, did ledger) {
	t.Helper()
	file, pipe, memory := syncedFile(t)
	for range syncs {
		for _, err := range []error{
			unix.Fsync(file), unix.Fdatasync(file), unix.SyncFileRange(file, 0, 0, unix.SYNC_FILE_RANGE_WRITE),
			unix.Msync(memory, unix.MS_ASYNC), unix.Syncfs(pipe),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		did[unix.ErrnoName(unix.Fsync(pipe).(unix.Errno))]++
		did[unix.ErrnoName(unix.SyncFileRange(-1, 0, 0, 0).(unix.Errno))]++
	}
}

// syncedFile is a file, the end of a pipe, which has no disk, and the file in
// memory.
func syncedFile(t *testing.T) (file, pipe int, memory []byte) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.Write(make([]byte, os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	memory, err = unix.Mmap(int(f.Fd()), 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(memory) })
	var ends [2]int
	if err := unix.Pipe(ends[:]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(ends[0]); unix.Close(ends[1]) })
	return int(f.Fd()), ends[0], memory
}
