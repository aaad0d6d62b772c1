package values

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

func TestFilesystem(t *testing.T) {
	need.EachKernel(t)
	s := serve(t, load(t, "filesystem.yaml"))
	folder := newRamfs(t)
	did := ledger{}
	series := func(operation string) metric {
		return ours("ply_filesystem_seconds_count", "filesystem", "ramfs", "operation", operation)
	}
	syncs := sumOfSources(perfTracepoint(t, "syscalls/sys_exit_fsync"), perfTracepoint(t, "syscalls/sys_exit_fdatasync"))
	compare(t, s, func() {
		if err := errors.Join(useFiles(folder, did), useMore(folder, did)); err != nil {
			t.Fatal(err)
		}
	},
		comparison{ours: series("read"), source: "calls made", theirs: did.of("read"), least: files},
		comparison{ours: series("write"), source: "calls made", theirs: did.of("write"), least: files},
		comparison{ours: series("fsync"), source: "calls made", theirs: did.of("fsync"), least: files},
		comparison{ours: ours("ply_filesystem_seconds_count", "operation", "fsync"), source: "perf's count of sys_exit_fsync and sys_exit_fdatasync", theirs: syncs, least: files},
		comparison{ours: ours("ply_filesystem_open_seconds_count", "filesystem", "ramfs"), source: "calls made", theirs: did.of("open"), least: files},
	)
	for _, name := range []string{"pipefs", "sockfs", ""} {
		if n := ours("ply_filesystem_seconds_count", "filesystem", name).of(s.scrape(t)); n > 0 {
			t.Errorf("%v calls on %q, which has no regular files", n, name)
		}
	}
}

func sumOfSources(list ...func(*testing.T) float64) func(*testing.T) float64 {
	return func(t *testing.T) (sum float64) {
		t.Helper()
		for _, source := range list {
			sum += source(t)
		}
		return sum
	}
}

// Of the calls of one program, strace -c has as many.
func TestFilesystemLikeStrace(t *testing.T) {
	need.BPF(t)
	need.Command(t, "strace")
	s := serve(t, load(t, "filesystem.yaml"))
	folder := newRamfs(t)
	table := strace{}
	series := func(operation string) metric {
		return ours("ply_filesystem_seconds_count", "filesystem", "ramfs", "operation", operation)
	}
	compare(t, s, func() { table.run(t, "files", folder) },
		comparison{ours: series("read"), source: "calls of strace -c", theirs: sumOfSources(table.of("preadv", 3), table.of("readv", 3)), least: 2 * files},
		comparison{ours: series("write"), source: "calls of strace -c", theirs: sumOfSources(table.of("pwritev", 3), table.of("writev", 3)), least: 2 * files},
		comparison{ours: series("fsync"), source: "calls of strace -c", theirs: sumOfSources(table.of("fsync", 3), table.of("fdatasync", 3)), least: 2 * files},
	)
}

// newRamfs mounts a filesystem of a type that nobody else uses.
func newRamfs(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := unix.Mount("ramfs", folder, "ramfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, 0); err != nil {
			t.Error(err)
		}
	})
	return folder
}

// files is how often useFiles makes each call.
const files = 40

// useFiles makes calls on files of a folder: but for the opening none that a Go
// program also makes by itself.
func useFiles(folder string, did ledger) error {
	for i := range files {
		fd, err := openIn(folder, i%4, did)
		if err != nil {
			return err
		}
		vector := [][]byte{make([]byte, 1000), make([]byte, 1000)}
		err = did.make([]call{
			{"write", func() error { _, err := unix.Writev(fd, vector); return err }},
			{"write", func() error { _, err := unix.Pwritev(fd, vector, 0); return err }},
			{"read", func() error { _, err := unix.Readv(fd, vector); return err }},
			{"read", func() error { _, err := unix.Preadv(fd, vector, 0); return err }},
			{"read", func() error { _, err := unix.Preadv(fd, vector, -1); return is(err, unix.EINVAL) }},
			{"fsync", func() error { return unix.Fsync(fd) }},
			{"fsync", func() error { return unix.Fdatasync(fd) }},
		})
		unix.Close(fd)
		if err != nil {
			return err
		}
	}
	return nil
}

func openIn(folder string, name int, did ledger) (int, error) {
	did["open"]++
	return unix.Open(filepath.Join(folder, fmt.Sprint(name)), unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
}

// A call is one of a workload, and what it is counted as.
type call struct {
	operation string
	make      func() error
}

// make makes calls until one fails.
func (l ledger) make(calls []call) error {
	for i, c := range calls {
		if err := c.make(); err != nil {
			return fmt.Errorf("call %d: %w", i, err)
		}
		l[c.operation]++
	}
	return nil
}

// useMore makes the calls that Go programs make, and some that have no regular
// file.
func useMore(folder string, did ledger) error {
	fd, err := openIn(folder, 0, did)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	data := make([]byte, 100)
	const none = "no regular file"
	return did.make([]call{
		{"write", func() error { _, err := unix.Write(fd, data); return err }},
		{"write", func() error { _, err := unix.Pwrite(fd, data, 0); return err }},
		{"read", func() error { _, err := unix.Read(fd, data); return err }},
		{"read", func() error { _, err := unix.Pread(fd, data, 0); return err }},
		{none, func() error { _, err := unix.Write(pipe[1], data); return err }},
		{none, func() error { _, err := unix.Read(pipe[0], data); return err }},
		{none, func() error { _, err := unix.Read(1<<31-1, data); return is(err, unix.EBADF) }},
		{none, func() error { _, err := unix.Read(-1, data); return is(err, unix.EBADF) }},
		{none, func() error { _, err := unix.Open("/no such file", unix.O_RDONLY, 0); return is(err, unix.ENOENT) }},
	})
}

// is says what is wrong with an error that should be another.
func is(err, want error) error {
	if err != want {
		return fmt.Errorf("%v where %v is expected", err, want)
	}
	return nil
}

// A read that waits takes as long as a clock beside it says. In tracefs there is a
// regular file whose reader waits for the next line.
func TestFilesystemTime(t *testing.T) {
	need.EachKernel(t)
	s := serve(t, load(t, "filesystem.yaml"))
	p := newPipeOfLines(t)
	did := ledger{}
	const wait = 500 * time.Millisecond
	compare(t, s, func() {
		time.AfterFunc(wait, func() { p.write(t) })
		did["seconds"] = p.read(t)
	},
		comparison{ours: ours("ply_filesystem_seconds_sum", "filesystem", "tracefs", "operation", "read"), source: "a clock beside it", theirs: did.of("seconds"), slack: wait.Seconds() / 5, least: wait.Seconds() * 0.9},
	)
}
