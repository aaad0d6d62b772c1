package bpfgen_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

// noted is a script that notes every other call of a thread, and keeps two values.
const noted = `
kprobe:SyS_getpriority / pid == PID && arg1 % 2 == 1 / { v[curtask] = arg1; n[curtask]++; }
kretprobe:SyS_getpriority / pid == PID && n[curtask] && v[curtask] / {
	@calls = count(); @v = sum(v[curtask]);
	delete v[curtask];
	if (n[curtask] % 3 == 0) { delete n[curtask]; n[curtask] = 3; }
}`

// Threads that are known to have nothing lose no call, however many share a place and
// whichever CPUs they run on: half of the calls are noted, and each of these is seen to
// return.
func TestThreadsWithNothing(t *testing.T) {
	need.OldAndNew(t)
	k := running(t)
	const threads, calls = 256, 100
	got := trace(t, k, noted, programsRead, func() {
		var all sync.WaitGroup
		for range threads {
			all.Go(func() {
				runtime.LockOSThread() // for good: the thread ends
				for i := range calls {
					_, _, _ = unix.RawSyscall(unix.SYS_GETPRIORITY, 0, uintptr(i), 0)
					if i%10 == 0 {
						_, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
					}
				}
			})
		}
		all.Wait()
	})
	odd := threads * calls / 2
	for _, want := range []string{fmt.Sprintf("@calls %d", odd), fmt.Sprintf("@v %d", odd*calls/2)} {
		if !strings.Contains(got+"\n", want+"\n") {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}

// A thread is marked when it has nothing any more, or when what it has is 0, and not
// while it has something.
func TestMarkOfThread(t *testing.T) {
	need.OldAndNew(t)
	k := running(t)
	script := strings.ReplaceAll(`
kprobe:SyS_getpriority / pid == PID / { v[curtask] = arg1; }
kretprobe:SyS_getpriority / pid == PID && v[curtask] / { if (v[curtask] == 1) { delete v[curtask]; } }`, "PID", fmt.Sprint(unix.Getpid()))
	obj, err := bpfgen.Build(&plylang.Source{Text: script}, k, programsRead, nil)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	knows := k.KeepsInTasks() && k.Has(kernel.RawTracepointsExact)
	if (obj.Spec.Maps["ply_nothing"] != nil) != knows {
		t.Errorf("threads with nothing are known: %t", !knows)
	}
	if !knows {
		return
	}
	last := lastMap(t)
	tr, err := tracer.Start(obj, tracer.Options{Kernel: k})
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	defer tr.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, step := range []struct {
		arg  uintptr
		want int // marks: nobody else makes this call
	}{{0, 1}, {2, 0}, {1, 1}, {1, 1}, {3, 0}} {
		_, _, _ = unix.RawSyscall(unix.SYS_GETPRIORITY, 0, step.arg, 0)
		if got := marks(t, last); got != step.want {
			t.Errorf("after a call with %d there are %d marks, want %d", step.arg, got, step.want)
		}
	}
}

// lastMap is the newest map that the kernel has.
func lastMap(t *testing.T) (last ebpf.MapID) {
	t.Helper()
	for id, err := ebpf.MapGetNextID(0); err == nil; id, err = ebpf.MapGetNextID(id) {
		last = id
	}
	return last
}

// marks is how many threads are marked in the map of threads with nothing that is newer
// than another map.
func marks(t *testing.T, last ebpf.MapID) (n int) {
	t.Helper()
	for id, err := ebpf.MapGetNextID(last); err == nil; id, err = ebpf.MapGetNextID(id) {
		m, errOpen := ebpf.NewMapFromID(id)
		if errOpen != nil {
			continue
		}
		if info, err := m.Info(); err == nil && info.Name == "ply_nothing" {
			value := make([]byte, info.ValueSize)
			if err := m.Lookup(uint32(0), &value); err != nil {
				t.Fatal(err)
			}
			for word := range slices.Chunk(value, 8) {
				n += int(word[0] & 1)
			}
		}
		m.Close()
	}
	return n
}

// Which scripts know threads that have nothing: those that change values where system
// calls begin and return and nowhere else, and that do nothing without a value.
func TestWhoKnowsNothing(t *testing.T) {
	for _, row := range []struct {
		script string
		kernel string
		want   bool
	}{
		{noted, "6.18-amd64", true},
		{noted, "6.12-arm64", true},
		{noted, "5.10-amd64", false},
		{noted, "7.3-amd64", false}, // at the tracepoints' records, where all events come
		{`kprobe:SyS_read { v[curtask] = 1; } kretprobe:SyS_read / retval > 0 && v[curtask] / { @ = count(); }`, "6.18-amd64", true},
		{`kprobe:SyS_read { v[curtask] = 1; } kretprobe:SyS_read / retval > 0 || v[curtask] / { @ = count(); }`, "6.18-amd64", false},
		{`kprobe:SyS_read { v[curtask] = 1; } kretprobe:SyS_read / v[curtask] < 2 / { @ = count(); }`, "6.18-amd64", false},
		{`kprobe:SyS_read { v[curtask] = 1; } kretprobe:SyS_read / v[curtask] / { @ = count(); } kretprobe:SyS_write { @ = count(); }`, "6.18-amd64", false},
		{`kprobe:SyS_read { v[curtask] = 1; } kretprobe:SyS_read { @ = sum(v[curtask]); }`, "6.18-amd64", false},
		{`rawtracepoint:sched_wakeup { v[arg0] = 1; } kretprobe:SyS_read / v[curtask] / { @ = count(); }`, "6.18-amd64", false},
		{`kprobe:vfs_read { v[curtask] = 1; } kretprobe:SyS_read / v[curtask] / { @ = count(); }`, "6.12-arm64", false},
	} {
		k, err := kernel.Open(recorded.Files(row.kernel))
		if err != nil {
			t.Fatal(err)
		}
		o, err := bpfgen.Build(&plylang.Source{Text: strings.NewReplacer("PID", "1", "getpriority", "read").Replace(row.script)}, k, programsRead, nil)
		if err != nil {
			t.Errorf("%s: %s", row.script, plylang.Detail(err))
			continue
		}
		if got := o.Spec.Maps["ply_nothing"] != nil; got != row.want {
			t.Errorf("%s on %s: %t", row.script, row.kernel, got)
		}
	}
}

// All values of a script that are kept with tasks are in one record.
func TestOneRecordOfTasks(t *testing.T) {
	k, err := kernel.Open(recorded.Files("6.18-amd64"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := bpfgen.Build(&plylang.Source{Text: strings.NewReplacer("PID", "1", "getpriority", "read").Replace(noted)}, k, programsRead, nil)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	words := map[int]bool{}
	for _, m := range o.Maps {
		if m.Storage == object.InTasks {
			words[m.Word] = true
			if spec := o.Spec.Maps[m.SpecName]; spec == nil || spec.ValueSize != 16 {
				t.Errorf("%s is in %v", m.Name, spec)
			}
		}
	}
	if !words[0] || !words[1] || len(words) != 2 {
		t.Errorf("the words of the record are %v", words)
	}
}

// A record has a bound; tables beyond it are hashes.
func TestManyTablesOfTasks(t *testing.T) {
	k, err := kernel.Open(recorded.Files("6.18-amd64"))
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	opt := bpfgen.Options{Maps: map[string]bpfgen.MapOptions{}}
	for i := range 70 {
		name := fmt.Sprintf("t%d", i)
		fmt.Fprintf(&script, "kprobe:SyS_read { %s[curtask] = 1; }\n", name)
		opt.Maps[name] = bpfgen.MapOptions{Programs: true}
	}
	o, err := bpfgen.Build(&plylang.Source{Text: script.String()}, k, opt, nil)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	kept := map[object.Storage]int{}
	for _, m := range o.Maps {
		kept[m.Storage]++
	}
	if kept[object.InTasks] != 64 || kept[object.LRUHash] != 6 || o.Spec.Maps["ply_values"].ValueSize != 64*8 {
		t.Errorf("tables by storage: %v", kept)
	}
}
