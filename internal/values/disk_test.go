package values

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A disk is one that nobody else uses.
type disk struct {
	name string
	fd   int // past the page cache
}

const (
	sector   = 512
	diskSize = 4 << 20
)

// newLoopDisk returns a disk in memory.
func newLoopDisk(t *testing.T) disk {
	t.Helper()
	memory, err := unix.MemfdCreate("disk", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(memory)
	if err := unix.Ftruncate(memory, diskSize); err != nil {
		t.Fatal(err)
	}
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("loop%d", number)
	loop, err := os.OpenFile("/dev/"+name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { loop.Close() })
	if err := unix.IoctlSetInt(int(loop.Fd()), unix.LOOP_SET_FD, memory); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.IoctlSetInt(int(loop.Fd()), unix.LOOP_CLR_FD, 0) })
	return openDisk(t, name)
}

// newNullDisk returns a disk that forgets what is written, set up by the files of
// the driver's folder in configfs.
func newNullDisk(t *testing.T, settings map[string]string) disk {
	t.Helper()
	const configfs = "/sys/kernel/config"
	if _, err := os.Stat(configfs + "/nullb"); err != nil {
		if err := unix.Mount("configfs", configfs, "configfs", 0, ""); err != nil {
			t.Fatal(err)
		}
	}
	folder := configfs + "/nullb/values"
	before := disks(t)
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(folder) })
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(settings[name]), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(folder+"/power", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	for _, name := range disks(t) {
		if !slices.Contains(before, name) {
			return openDisk(t, name)
		}
	}
	t.Fatal("null_blk makes no disk")
	return disk{}
}

func disks(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/sys/block")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func openDisk(t *testing.T, name string) disk {
	t.Helper()
	fd, err := unix.Open("/dev/"+name, unix.O_RDWR|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return disk{name, fd}
}

// buffer is where a disk can read and write by itself.
func buffer(t *testing.T, size int) []byte {
	t.Helper()
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(memory) })
	return memory
}

// discard tells the disk that a part of it is of no use any more.
func (d disk) discard(t *testing.T, from, size uint64) {
	t.Helper()
	extent := [2]uint64{from, size}
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(d.fd), blkDiscard, uintptr(unsafe.Pointer(&extent)))
	if e != 0 {
		t.Fatal(e)
	}
}

// blkDiscard is BLKDISCARD of include/uapi/linux/fs.h.
const blkDiscard = 0x1277

// Columns of /proc/diskstats, from the name of the disk on:
// Documentation/admin-guide/iostats.rst.
const (
	readsCompleted = iota
	readsMerged
	sectorsRead
	readMilliseconds
	writesCompleted
	writesMerged
	sectorsWritten
	writeMilliseconds
	_ // under way
	_ // milliseconds of I/O
	_ // weighted
	discardsCompleted
	discardsMerged
	sectorsDiscarded
	discardMilliseconds
	flushesCompleted
	flushMilliseconds
)

// stat is a source: a column of /proc/diskstats, times a factor.
func (d disk) stat(column int, factor float64) func(*testing.T) float64 {
	return func(t *testing.T) float64 {
		t.Helper()
		text, err := os.ReadFile("/proc/diskstats")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if words := strings.Fields(line); words[2] == d.name {
				n, err := strconv.ParseFloat(words[3+column], 64)
				if err != nil {
					t.Fatal(err)
				}
				return n * factor
			}
		}
		t.Fatalf("no %s in /proc/diskstats", d.name)
		return 0
	}
}
