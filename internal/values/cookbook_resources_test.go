package values

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tellsContention says whether the kernel tells of threads that wait for locks.
func tellsContention() bool {
	_, err := os.Stat("/sys/kernel/tracing/events/lock/contention_begin")
	return err == nil
}

// contendForMemory has threads change the memory of this process until they have
// waited for each other.
func contendForMemory(t *testing.T, waits func(*testing.T) float64) {
	enough := waits(t) + 8*times
	var threads sync.WaitGroup
	for range 3 {
		threads.Go(func() {
			waitUntil(t, func() bool {
				for range 200 {
					memory, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
					if err == nil {
						err = unix.Munmap(memory)
					}
					if err != nil {
						t.Error(err)
						return true
					}
				}
				return waits(t) >= enough
			})
		})
	}
	threads.Wait()
}

// inMemory is a file of a file system in memory that nothing else uses.
func inMemory(t *testing.T) *os.File {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "ramfs")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("ramfs", folder, "ramfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(folder, unix.MNT_DETACH) })
	file, err := os.Create(filepath.Join(folder, "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// deviceOf is the number of the file system that a file is in.
func deviceOf(t *testing.T, file *os.File) string {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d:%d", unix.Major(stat.Dev), unix.Minor(stat.Dev))
}

// waitUntil waits for something to be so.
func waitUntil(t *testing.T, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("it has not happened in a minute")
			return
		}
	}
}
