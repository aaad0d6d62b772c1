package userspace

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A watch hears from the kernel what processes run, from their beginning, through one
// perf event on each CPU that counts nothing. It costs nothing but when a process
// begins, or maps a file that it can run.
type watch struct {
	rings []*ring
	now   func() uint64 // the time of records
	held  []record      // that are newer than what has been taken of each ring
	stop  *os.File      // closed to end the reading
	ended chan struct{}
}

// A ring is the memory that the kernel writes records of a CPU to.
type ring struct {
	fd   int
	mem  []byte
	page int
}

// ringPages is the size of a ring without its first page: 128 KiB hold the records of
// some 120 programs that begin. They are read when half of it is used.
const ringPages = 32

// Watch begins to watch processes. Needs CAP_PERFMON, or CAP_SYS_ADMIN
// before Linux 5.8. Without it those that end before somebody asks have no names, but
// for what is in a file with a build ID.
func (n *Names) Watch(cpus []int) error {
	n.turn <- struct{}{}
	defer func() { <-n.turn }()
	if n.watch != nil {
		return nil
	}
	w := &watch{ended: make(chan struct{}), now: monotonic}
	for _, cpu := range cpus {
		r, err := openRing(cpu)
		if err != nil {
			w.close()
			return fmt.Errorf("events of processes on CPU %d: %w", cpu, err)
		}
		w.rings = append(w.rings, r)
	}
	woken, stop, err := os.Pipe()
	if err != nil {
		w.close()
		return err
	}
	w.stop, n.watch = stop, w
	go n.read(w, woken)
	return nil
}

// unwatch ends the watching, which else ends with the process.
func (n *Names) unwatch() {
	n.turn <- struct{}{}
	w := n.watch
	n.watch = nil
	<-n.turn
	if w == nil {
		return
	}
	_ = w.stop.Close()
	<-w.ended
	w.close()
}

func (w *watch) close() {
	for _, r := range w.rings {
		_ = unix.Munmap(r.mem)
		_ = unix.Close(r.fd)
	}
}

func openRing(cpu int) (*ring, error) {
	attr := &unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_DUMMY,
		Sample_type: unix.PERF_SAMPLE_TIME,
		Bits: unix.PerfBitMmap | unix.PerfBitMmap2 | unix.PerfBitComm | unix.PerfBitCommExec | unix.PerfBitTask |
			unix.PerfBitSampleIDAll | unix.PerfBitWatermark | unix.PerfBitUseClockID,
		Clockid: unix.CLOCK_MONOTONIC,
	}
	page := os.Getpagesize()
	attr.Size = uint32(unsafe.Sizeof(*attr))
	attr.Wakeup = uint32(ringPages * page / 2)
	fd, err := unix.PerfEventOpen(attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(fd, 0, (1+ringPages)*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return &ring{fd, mem, page}, nil
}

// read reads records as they fill the rings.
func (n *Names) read(w *watch, woken *os.File) {
	defer close(w.ended)
	defer func() { _ = woken.Close() }()
	wait := []unix.PollFd{{Fd: int32(woken.Fd()), Events: unix.POLLIN}}
	for _, r := range w.rings {
		wait = append(wait, unix.PollFd{Fd: int32(r.fd), Events: unix.POLLIN})
	}
	n.turn <- struct{}{}
	n.lookAtAll() // at those that run already
	<-n.turn
	for {
		_, err := unix.Ppoll(wait, nil, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || wait[0].Revents != 0 {
			return
		}
		n.turn <- struct{}{}
		n.catchUp()
		<-n.turn
	}
}

// monotonic is the time of CLOCK_MONOTONIC.
func monotonic() uint64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // every kernel has it
	return uint64(now.Nano())
}

// catchUp takes what the kernel has written until now, in the order in which it happened.
// What is written while rings are read waits for the next time: of the ring of another CPU
// that was read already, something older may be missing.
func (n *Names) catchUp() {
	w := n.watch
	if w == nil {
		return
	}
	begin, lost := w.now(), false
	all := w.held
	for _, r := range w.rings {
		all = append(all, r.take()...)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].time < all[j].time })
	ready, _ := slices.BinarySearchFunc(all, begin+1, func(r record, t uint64) int { return cmp.Compare(r.time, t) })
	for _, r := range all[:ready] {
		n.note(r)
		lost = lost || r.kind == unix.PERF_RECORD_LOST
	}
	w.held = slices.Clone(all[ready:])
	if lost {
		n.processes.keep(pids(n.proc))
		n.lookAtAll()
	}
}

// A record is one of a perf event.
type record struct {
	kind uint32
	misc uint16
	body []byte
	time uint64
}

// Where the ring's first page has its ends, struct perf_event_mmap_page.
const (
	headAt = 1024
	tailAt = 1032
)

// take takes the records of a ring.
func (r *ring) take() (all []record) {
	head := atomic.LoadUint64(r.word(headAt))
	tail := atomic.LoadUint64(r.word(tailAt))
	data := r.mem[r.page:]
	for tail < head {
		h := copyRing(data, tail, 8)
		size := uint64(binary.NativeEndian.Uint16(h[6:]))
		if size < 8 {
			break // which the kernel never writes
		}
		body := copyRing(data, tail, size)[8:]
		if len(body) >= 8 { // its time is the last word
			all = append(all, record{
				binary.NativeEndian.Uint32(h), binary.NativeEndian.Uint16(h[4:]), body[:len(body)-8],
				binary.NativeEndian.Uint64(body[len(body)-8:]),
			})
		}
		tail += size
	}
	atomic.StoreUint64(r.word(tailAt), head)
	return all
}

func (r *ring) word(at int) *uint64 { return (*uint64)(unsafe.Pointer(&r.mem[at])) }

// copyRing copies n bytes of a ring, from a place that counts on beyond its end.
func copyRing(data []byte, from, n uint64) []byte {
	out := make([]byte, n)
	at := from % uint64(len(data))
	copy(out[copy(out, data[at:]):], data)
	return out
}

// note keeps what a record says.
func (n *Names) note(r record) {
	if len(r.body) < 8 {
		return
	}
	word := func(at int) uint32 { return binary.NativeEndian.Uint32(r.body[at:]) }
	long := func(at int) uint64 { return binary.NativeEndian.Uint64(r.body[at:]) }
	pid := int(int32(word(0)))
	switch {
	case r.kind == unix.PERF_RECORD_COMM && r.misc&unix.PERF_RECORD_MISC_COMM_EXEC != 0:
		n.processes.set(pid, nil)
	case r.kind == unix.PERF_RECORD_FORK:
		if parent := int(int32(word(4))); parent != pid {
			n.processes.fork(parent, pid)
		}
	case r.kind == unix.PERF_RECORD_MMAP2 && len(r.body) > 64:
		path, _, _ := strings.Cut(string(r.body[64:]), "\x00")
		a := area{start: long(8), end: long(8) + long(16), offset: long(24), path: path}
		if strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") {
			a.file = fileKey{word(32), word(36), long(40)}
		}
		n.processes.add(pid, a)
		learning := &n.learning
		if n.files.byKey[a.file] != nil {
			learning = &n.relearning
		}
		if learning.allow() {
			n.files.learn(n.proc, pid, a)
		}
	}
}

// A rate allows something so often in a second.
type rate struct {
	second time.Time
	n      int
}

// maxLearned is how many files a second are looked at because a process maps them, of those
// that are known and of others. What is left out is looked at when a name of it is asked for, if
// the process is there then.
const maxLearned = 500

func (r *rate) allow() bool {
	if time.Since(r.second) > time.Second {
		r.second, r.n = time.Now(), 0
	}
	r.n++
	return r.n <= maxLearned
}
