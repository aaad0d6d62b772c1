package bpfgen_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

// A witness counts an event without BPF: an ftrace instance, whose files stay open
// because opening one makes events.
type witness struct {
	folder string
	on     *os.File
}

func newWitness(t *testing.T, name, event string) *witness {
	t.Helper()
	w := &witness{folder: "/sys/kernel/tracing/instances/ply_" + name}
	if err := os.Mkdir(w.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.write(t, "events/"+event+"/enable", "0")
		w.on.Close()
		if err := os.Remove(w.folder); err != nil {
			t.Errorf("remove the witness: %v", err)
		}
	})
	var err error
	if w.on, err = os.OpenFile(w.folder+"/tracing_on", os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	}
	w.turn(t, "0")
	w.write(t, "events/"+event+"/enable", "1")
	return w
}

func (w *witness) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.folder, name), []byte(text), 0); err != nil {
		t.Errorf("witness: %v", err)
	}
}

// turn begins and ends its counting.
func (w *witness) turn(t *testing.T, on string) {
	t.Helper()
	if _, err := w.on.WriteAt([]byte(on), 0); err != nil {
		t.Errorf("witness: %v", err)
	}
}

// count is how many events there were: those in the buffers, and those that they
// had no room for.
func (w *witness) count(t *testing.T) (n int) {
	t.Helper()
	files, err := filepath.Glob(w.folder + "/per_cpu/cpu*/stats")
	if err != nil || files == nil {
		t.Fatalf("the witness has no statistics: %v", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var entries, overrun int
		if _, err := fmt.Sscanf(string(text), "entries: %d\noverrun: %d\n", &entries, &overrun); err != nil {
			t.Fatalf("%s: %v in %s", name, err, text)
		}
		n += entries + overrun
	}
	return n
}

// A window is what was counted of an event while a load ran. Of the two witnesses
// one began before the program was read, and one after it, and ended likewise.
// lost is what the run would report as missed.
type window struct{ inner, counted, missed, outer, lost int }

func (w window) String() string {
	return fmt.Sprintf("%d counted and %d missed, the witnesses saw %d to %d", w.counted, w.missed, w.inner, w.outer)
}

// besideWitnesses counts an event while a load runs beside a program that is at
// work in each system call.
func besideWitnesses(t *testing.T, k *kernel.Kernel, event, script string, plain bool, load func()) window {
	t.Helper()
	outer, inner := newWitness(t, "outer", event), newWitness(t, "inner", event)
	startScript(t, k, `tracepoint:raw_syscalls/sys_enter { unroll(64) { @x = max(strlen(comm)); } }`, bpfgen.Options{PlainAttach: true})
	tr := startScript(t, k, script, bpfgen.Options{PlainAttach: plain})
	outer.turn(t, "1")
	letEventsEnd()
	counted, missed := readCount(t, tr)
	letEventsEnd()
	inner.turn(t, "1")
	load()
	inner.turn(t, "0")
	letEventsEnd()
	countedAfter, missedAfter := readCount(t, tr)
	letEventsEnd()
	outer.turn(t, "0")
	lost := 0
	for _, m := range tr.Missed() {
		lost += int(m.Events)
	}
	return window{inner.count(t), countedAfter - counted, missedAfter - missed, outer.count(t), lost}
}

// A startedScript is a script that runs, and what it was compiled to.
type startedScript struct {
	*tracer.Tracer
	obj *object.Object
}

// letEventsEnd returns when what fires now has been seen by all who count it. That
// is an RCU grace period, but on Linux 7.x also the time of who was preempted.
func letEventsEnd() {
	const global = 1 // MEMBARRIER_CMD_GLOBAL
	_, _, _ = unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0)
	time.Sleep(5 * time.Millisecond)
}

func startScript(t *testing.T, k *kernel.Kernel, script string, opt bpfgen.Options) startedScript {
	t.Helper()
	opt.Run = true
	obj, err := bpfgen.Build(&plylang.Source{Text: script}, k, opt, nil)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	tr, err := tracer.Start(obj, tracer.Options{Kernel: k})
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	t.Cleanup(func() { tr.Close() })
	return startedScript{tr, obj}
}

// readCount reads the script's only map and what it has missed.
func readCount(t *testing.T, tr startedScript) (counted, missed int) {
	t.Helper()
	for _, p := range tr.Probes() {
		missed += int(p.Missed)
	}
	rows, err := tr.Rows(tr.obj.Maps[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		counted = int(object.Word(r.Value, 0))
	}
	return counted, missed
}

// mixedLoad makes system calls, packets, timers and files in several threads.
func mixedLoad(t *testing.T) {
	inThreads(func() {
		for range 150 {
			call(80, unix.SYS_GETPRIORITY, 99, 7, 8)
			sendPacket(t)
			if file, err := os.Open("/proc/self/stat"); err == nil {
				file.Close()
			}
			_ = unix.Nanosleep(&unix.Timespec{Nsec: 1000}, nil)
		}
	})
}

// What fires with interrupts or preemption off and what fires in tasks only is
// counted to the last event, beside a program at work in every system call. Of
// what fires in both, what is missed is little and is counted.
func TestBesideWitnesses(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	k := running(t)
	for _, event := range []string{"irq/softirq_entry", "sched/sched_wakeup", "raw_syscalls/sys_enter"} {
		t.Run(event, func(t *testing.T) {
			w := besideWitnesses(t, k, event, "tracepoint:"+event+" { @n = sum(1); }", false, func() { mixedLoad(t) })
			if t.Log(w); w.missed != 0 || w.counted < w.inner || w.counted > w.outer || w.inner == 0 {
				t.Error("they differ")
			}
		})
	}
	t.Run("kmem/kmalloc", func(t *testing.T) {
		w := besideWitnesses(t, k, "kmem/kmalloc", "tracepoint:kmem/kmalloc { @n = sum(1); }", false, func() { mixedLoad(t) })
		t.Log(w)
		if w.counted+w.missed > w.outer || w.counted < w.inner-w.inner/20 || w.inner == 0 {
			t.Error("more than 5% differ")
		}
		if k.Has(kernel.MissedCounts) && w.counted+w.missed < w.inner {
			t.Error("some are neither counted nor missed")
		}
	})
}

// A count without a key and a predicate has what the kernel skips, however the
// tracepoint is attached.
func TestExactCounts(t *testing.T) {
	need.Kernel(t, "6.7", "counts of missed events")
	k := running(t)
	if !k.Has(kernel.MissedCounts) {
		t.Fatal("this kernel does not count what it skips")
	}
	missed := 0
	for _, row := range []struct {
		event, probe string
		plain        bool
	}{
		{"irq/softirq_entry", "tracepoint:irq/softirq_entry", true},
		{"timer/hrtimer_expire_entry", "tracepoint:timer/hrtimer_expire_entry", true},
		{"kmem/kmem_cache_free", "tracepoint:kmem/kmem_cache_free", false},
		{"raw_syscalls/sys_enter", "rawtracepoint:sys_enter", false},
	} {
		t.Run(row.probe, func(t *testing.T) {
			w := besideWitnesses(t, k, row.event, row.probe+" { @n = count(); }", row.plain, func() { mixedLoad(t) })
			missed += w.missed
			if t.Log(w); w.counted < w.inner || w.counted > w.outer || w.inner == 0 {
				t.Error("they differ")
			}
			if w.lost != 0 {
				t.Errorf("%d events are said to be missed, which are counted", w.lost)
			}
		})
	}
	if missed == 0 {
		t.Error("the kernel has skipped nothing, so that nothing is shown")
	}
}
