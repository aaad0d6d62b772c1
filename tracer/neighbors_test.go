package tracer

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// Other users of perf events (perf stat, other exporters) see every event while
// our programs are attached: a program attached through perf that returns 0
// takes the event of a tracepoint from all of them. The tests below are such a
// user, and count the same exact number of events with and without us.

// A witness counts the events of this thread with a perf event of its own.
type witness int

// openWitness opens a counter, disabled. The filter ("id == 110") is for
// tracepoints and may be empty.
func openWitness(t *testing.T, attr unix.PerfEventAttr, filter string) witness {
	t.Helper()
	attr.Size, attr.Bits = uint32(unsafe.Sizeof(attr)), attr.Bits|unix.PerfBitDisabled
	fd, err := unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		t.Fatalf("perf_event_open: %v", err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if filter == "" {
		return witness(fd)
	}
	text := append([]byte(filter), 0)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.PERF_EVENT_IOC_SET_FILTER, uintptr(unsafe.Pointer(&text[0]))); errno != 0 {
		t.Fatalf("filter %q: %v", filter, errno)
	}
	return witness(fd)
}

// count returns how many events the witness sees while work runs.
func (w witness) count(t *testing.T, work func()) uint64 {
	t.Helper()
	w.ioctl(t, unix.PERF_EVENT_IOC_RESET)
	w.ioctl(t, unix.PERF_EVENT_IOC_ENABLE)
	work()
	w.ioctl(t, unix.PERF_EVENT_IOC_DISABLE)
	return w.read(t)
}

func (w witness) ioctl(t *testing.T, request uint) {
	t.Helper()
	if err := unix.IoctlSetInt(int(w), request, 0); err != nil {
		t.Fatalf("ioctl of a perf event: %v", err)
	}
}

func (w witness) read(t *testing.T) uint64 {
	t.Helper()
	var value [16]byte // of our own events with the time that they were enabled
	if _, err := unix.Read(int(w), value[:]); err != nil {
		t.Fatalf("read a perf event: %v", err)
	}
	return binary.NativeEndian.Uint64(value[:])
}

// tracepointAttr is a counter of a tracepoint, "sched/sched_switch".
func tracepointAttr(t *testing.T, name string) unix.PerfEventAttr {
	t.Helper()
	return unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Config: readNumber(t, "/sys/kernel/tracing/events/"+name+"/id")}
}

func softwareAttr(event uint64) unix.PerfEventAttr {
	return unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: event}
}

func readNumber(t *testing.T, file string) uint64 {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// compilePlain compiles a script so that its tracepoints attach through perf on
// all kernels. PID and GETPPID are those of compile.
func compilePlain(t *testing.T, script string) *object.Object {
	t.Helper()
	numbers := strings.NewReplacer("GETPPID", fmt.Sprint(unix.SYS_GETPPID), "PID", fmt.Sprint(os.Getpid()))
	src := &plylang.Source{Text: numbers.Replace(script)}
	obj, err := bpfgen.Build(src, runningKernel(t), bpfgen.Options{Run: true, PlainAttach: true}, nil)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	return obj
}

// bodies leave a program by its end, by a false predicate and by return; PROBE
// is a specification.
var bodies = []string{
	"PROBE { @ = count(); }",
	"PROBE / pid == 0 && tid == 1 / { @ = count(); }",
	"PROBE { if (pid == PID) { return; } @ = count(); }",
}

// A tally is a count that is exact and kept without perf: of what was called, or
// by the kernel for each thread.
type tally func() int64

// seesAll fails where the witness sees other than what the tally says, without
// a script and beside each of the bodies. The tally goes on a little longer than
// the witness, on both sides.
func seesAll(t *testing.T, w witness, probe string, all tally, work func()) {
	t.Helper()
	w.seesAll(t, "nothing", all, work)
	for _, body := range bodies {
		script := strings.Replace(body, "PROBE", probe, 1)
		tr := start(t, compilePlain(t, script), testOptions(t))
		w.seesAll(t, script, all, work)
		if err := tr.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}

func (w witness) seesAll(t *testing.T, beside string, all tally, work func()) {
	t.Helper()
	var least, most int64
	before := all()
	n := int64(w.count(t, func() {
		least = -all()
		work()
		least += all()
	}))
	most = all() - before
	if n < least || n > most || least < witnessed {
		t.Errorf("beside %s a perf event counts %d; there were %d to %d", beside, n, least, most)
	}
}

const witnessed = 1000

// threadUsage is a number that the kernel keeps for this thread.
func threadUsage(t *testing.T, number func(*unix.Rusage) int64) tally {
	return func() int64 {
		var usage unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_THREAD, &usage); err != nil {
			t.Fatal(err)
		}
		return number(&usage)
	}
}

// ownThread keeps the test on the thread that its witness counts.
func ownThread(t *testing.T) {
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
}

// calls are system calls that nobody else makes, and their tally.
func calls() (tally, func()) {
	var n int64
	return func() int64 { return n }, func() {
		syscalls(unix.SYS_GETPPID, witnessed, 0)
		n += witnessed
	}
}

func TestPerfEventsOfOthersSeeTracepoints(t *testing.T) {
	need.EachArch(t)
	need.BPF(t)
	getppid := fmt.Sprintf("id == %d", unix.SYS_GETPPID)
	for _, row := range []struct{ name, filter string }{
		{"raw_syscalls/sys_enter", getppid},
		{"raw_syscalls/sys_exit", getppid},
		{"syscalls/sys_enter_getppid", ""},
		{"syscalls/sys_exit_getppid", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			ownThread(t)
			all, work := calls()
			w := openWitness(t, tracepointAttr(t, row.name), row.filter)
			seesAll(t, w, "tracepoint:"+row.name, all, work)
		})
	}
}

func TestPerfEventsOfOthersSeeContextSwitches(t *testing.T) {
	need.EachArch(t)
	need.BPF(t)
	ownThread(t)
	switches := threadUsage(t, func(u *unix.Rusage) int64 { return u.Nvcsw + u.Nivcsw })
	sleep := unix.Timespec{Nsec: int64(10 * time.Microsecond)}
	seesAll(t, openWitness(t, tracepointAttr(t, "sched/sched_switch"), ""), "tracepoint:sched/sched_switch", switches, func() {
		for end := switches() + witnessed; switches() < end; {
			_ = unix.Nanosleep(&sleep, nil) // a signal of the runtime may end it early
		}
	})
}

func TestPerfEventsOfOthersSeeKprobes(t *testing.T) {
	need.EachArch(t)
	need.Kprobes(t)
	ownThread(t)
	function, err := unix.BytePtrFromString(wrapper("getppid"))
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.KeepAlive(function) // the attribute has it as a number only
	kind := uint32(readNumber(t, "/sys/bus/event_source/devices/kprobe/type"))
	for probe, config := range map[string]uint64{"kprobe": kprobeEntry, "kretprobe": kprobeReturn} {
		attr := unix.PerfEventAttr{Type: kind, Config: config, Ext1: uint64(uintptr(unsafe.Pointer(function)))}
		all, work := calls()
		seesAll(t, openWitness(t, attr, ""), probe+":"+wrapper("getppid"), all, work)
	}
}

func TestPerfEventsOfOthersSeePageFaults(t *testing.T) {
	need.EachArch(t)
	need.BPF(t)
	ownThread(t)
	faults := threadUsage(t, func(u *unix.Rusage) int64 { return u.Minflt + u.Majflt })
	w := openWitness(t, softwareAttr(unix.PERF_COUNT_SW_PAGE_FAULTS), "")
	seesAll(t, w, "software:page-faults:1", faults, func() { touchPages(t, witnessed) })
}

// touchPages has n page faults, or a few more.
func touchPages(t *testing.T, n int) {
	t.Helper()
	size := n * os.Getpagesize()
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err == nil {
		err = unix.Madvise(memory, unix.MADV_NOHUGEPAGE)
	}
	if err != nil && err != unix.EINVAL { // a kernel without huge pages
		t.Fatal(err)
	}
	for i := 0; i < size; i += os.Getpagesize() {
		memory[i] = 1
	}
	if err := unix.Munmap(memory); err != nil {
		t.Fatal(err)
	}
}

// The timer of somebody else ticks on beside ours: each tick is a sample of 8
// bytes after a header of 8 in the ring of that event.
func TestPerfEventsOfOthersSeeTimers(t *testing.T) {
	need.EachArch(t)
	need.BPF(t)
	ownThread(t)
	used := func() time.Duration { // of a CPU: a busy machine gives a thread little in a second
		var t unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
		return time.Duration(t.Nano())
	}
	attr := softwareAttr(unix.PERF_COUNT_SW_CPU_CLOCK)
	attr.Sample, attr.Sample_type = uint64(time.Millisecond), unix.PERF_SAMPLE_TID
	for _, body := range bodies {
		script := strings.Replace(body, "PROBE", "profile:99hz", 1)
		w := openWitness(t, attr, "")
		ring, err := unix.Mmap(int(w), 0, 9*os.Getpagesize(), unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			t.Fatal(err)
		}
		tr := start(t, compilePlain(t, script), testOptions(t))
		w.count(t, func() {
			for end := used() + 200*time.Millisecond; used() < end; {
			}
		})
		page := (*unix.PerfEventMmapPage)(unsafe.Pointer(&ring[0]))
		if samples := page.Data_head / 16; samples < 20 || samples > 250 {
			t.Errorf("beside %s a timer of 1 ms ticks %d times in 200 ms of a CPU", script, samples)
		}
		if err := tr.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := unix.Munmap(ring); err != nil {
			t.Fatal(err)
		}
	}
}
