package userspace

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// Where a program has run is known after its end, whether it ran before or not.
func TestWatch(t *testing.T) {
	need.Root(t)
	n := New()
	var cpus []int
	for cpu := range runtime.NumCPU() {
		cpus = append(cpus, cpu)
	}
	if err := n.Watch(cpus); err != nil {
		t.Fatal(err)
	}
	defer n.unwatch()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var ended []int
	for range 50 {
		cmd := exec.Command(self, "-test.run", "^$")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		ended = append(ended, cmd.Process.Pid)
	}
	n.turn <- struct{}{}
	defer func() { <-n.turn }()
	n.catchUp()
	for _, pid := range ended {
		found := false
		for _, a := range n.processes.areas[pid] {
			found = found || a.path == self && a.file.inode != 0
		}
		if !found {
			t.Errorf("process %d: %+v", pid, n.processes.areas[pid])
		}
	}
	if len(n.files.byKey) == 0 {
		t.Error("no file is known")
	}
}

// A ring is read over its end, and a child has what its parent has, until it runs
// something else.
func TestRecords(t *testing.T) {
	const at = 3*testPage - 40 // the first record goes over the end
	r := newRing(at)
	put := r.put
	name := binary.NativeEndian.Uint64([]byte("/bin/a\x00\x00"))
	put(unix.PERF_RECORD_MMAP2, 0, pair(4, 4), 0x1000, 0x500, 0x200, pair(0xfe, 1), 9, 0, 0, name, 1)
	put(unix.PERF_RECORD_FORK, 0, pair(5, 4), pair(5, 4), 0, 2)
	put(unix.PERF_RECORD_FORK, 0, pair(4, 4), pair(6, 4), 0, 2) // a thread
	put(unix.PERF_RECORD_COMM, unix.PERF_RECORD_MISC_COMM_EXEC, pair(4, 4), 0, 4)
	opened := 0
	n := newNames(filepath.Join(t.TempDir(), "none"), fakeFiles(&opened), nil)
	n.watch = &watch{rings: []*ring{r}, now: monotonic}
	n.catchUp()
	if a, ok := n.processes.area(5, 0x1200); !ok || a != (area{0x1000, 0x1500, 0x200, fileKey{0xfe, 1, 9}, "/bin/a"}) {
		t.Errorf("the child: %+v, %v", a, ok)
	}
	if a, ok := n.processes.area(4, 0x1200); ok {
		t.Errorf("after another program began: %+v", a)
	}
	if got, all := binary.NativeEndian.Uint64(r.mem[tailAt:]), binary.NativeEndian.Uint64(r.mem[headAt:]); got != all {
		t.Errorf("read up to %d of %d", got, all)
	}
}

const testPage = 4096

func newRing(at uint64) *ring {
	r := &ring{mem: make([]byte, 2*testPage), page: testPage}
	binary.NativeEndian.PutUint64(r.mem[headAt:], at)
	binary.NativeEndian.PutUint64(r.mem[tailAt:], at)
	return r
}

// put writes a record as the kernel does.
func (r *ring) put(kind uint32, misc uint16, words ...uint64) {
	at := binary.NativeEndian.Uint64(r.mem[headAt:])
	rec := binary.NativeEndian.AppendUint32(nil, kind)
	rec = binary.NativeEndian.AppendUint16(rec, misc)
	rec = binary.NativeEndian.AppendUint16(rec, uint16(8+8*len(words)))
	for _, w := range words {
		rec = binary.NativeEndian.AppendUint64(rec, w)
	}
	for _, b := range rec {
		r.mem[testPage+int(at%testPage)] = b
		at++
	}
	binary.NativeEndian.PutUint64(r.mem[headAt:], at)
}

// pair is a word of two numbers.
func pair(low, high uint32) uint64 { return uint64(high)<<32 | uint64(low) }

// A process begins on one CPU and runs a program on another, whose record is read first: what
// it runs is that program. What may be wrong because records were lost is forgotten.
func TestRecordsOfSeveralCPUs(t *testing.T) {
	opened, now := 0, uint64(10)
	n := newNames(filepath.Join(t.TempDir(), "none"), fakeFiles(&opened), nil)
	one, two := newRing(0), newRing(0)
	n.watch = &watch{rings: []*ring{one, two}, now: func() uint64 { return now }}
	name := binary.NativeEndian.Uint64([]byte("/bin/a\x00\x00"))
	one.put(unix.PERF_RECORD_MMAP2, 0, pair(4, 4), 0x1000, 0x500, 0, pair(0xfe, 1), 9, 0, 0, name, 1)
	two.put(unix.PERF_RECORD_COMM, unix.PERF_RECORD_MISC_COMM_EXEC, pair(5, 5), 0, 20)
	two.put(unix.PERF_RECORD_MMAP2, 0, pair(5, 5), 0x7000, 0x500, 0, pair(0xfe, 1), 9, 0, 0, name, 21)
	n.catchUp()
	one.put(unix.PERF_RECORD_FORK, 0, pair(5, 4), pair(5, 4), 0, 15)
	now = 30
	n.catchUp()
	if got := n.processes.areas[5]; len(got) != 1 || got[0].start != 0x7000 {
		t.Errorf("the child runs %+v", got)
	}
	one.put(unix.PERF_RECORD_LOST, 0, 7, 2, 25)
	n.catchUp()
	if len(n.processes.areas) != 0 || len(n.processes.order) != 0 {
		t.Errorf("after a loss there are %+v", n.processes.areas)
	}
}
