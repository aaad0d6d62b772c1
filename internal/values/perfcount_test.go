package values

import (
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// perfCount opens an event for perf on each CPU and returns the count as a source:
// what perf stat -a says, at any time and in kernels where no perf is installed.
func perfCount(t *testing.T, kind uint32, config uint64) func(*testing.T) float64 {
	t.Helper()
	attr := unix.PerfEventAttr{Type: kind, Config: config}
	attr.Size = uint32(unsafe.Sizeof(attr))
	var counters []int
	for _, cpu := range onlineCPUs(t) {
		fd, err := unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		counters = append(counters, fd)
	}
	return func(t *testing.T) (sum float64) {
		t.Helper()
		for _, fd := range counters {
			var count [8]byte
			if _, err := unix.Read(fd, count[:]); err != nil {
				t.Fatal(err)
			}
			sum += float64(binary.NativeEndian.Uint64(count[:]))
		}
		return sum
	}
}

// perfTracepoint counts a tracepoint, "syscalls/sys_exit_fsync", for perf.
func perfTracepoint(t *testing.T, name string) func(*testing.T) float64 {
	t.Helper()
	text, err := os.ReadFile("/sys/kernel/tracing/events/" + name + "/id")
	if err != nil {
		t.Fatal(err)
	}
	id, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return perfCount(t, unix.PERF_TYPE_TRACEPOINT, id)
}

func onlineCPUs(t *testing.T) (cpus []int) {
	t.Helper()
	text, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(strings.TrimSpace(string(text)), ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil {
			t.Fatalf("online CPUs: %q", text)
		}
		for cpu := first; cpu <= last; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}
