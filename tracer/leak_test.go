package tracer

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// descriptors returns what each open descriptor of this process refers to.
func descriptors(t *testing.T) map[string]int {
	t.Helper()
	names, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, name := range names {
		if target, err := os.Readlink(name); err == nil {
			out[target]++
		}
	}
	return out
}

// Close leaves no descriptor and no program behind, whatever the script had.
// The iterator programs stay, for the next script.
func TestLeaks(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	b := newObject("")
	count, cell := b.addMap(countMap(object.PerCPUHash)), b.addMap(cellMap())
	b.ring(4096, &object.Event{Kind: object.EventPrint})
	b.program(object.AttachBegin, "", nil, emit(0, 1))
	b.program(object.AttachTracepoint, "raw_syscalls/sys_enter", points(sysEnter),
		onlySyscall(unix.SYS_GETPPID), keyArg(63), element(count), addOne(0), cellAdd(cell))
	b.program(object.AttachPerfEvent, "10hz", points(everyCPU(10)), cellAdd(cell))
	checkLeaks(t, b.build())
}

func TestLeaksOfClearedMaps(t *testing.T) {
	need.EachKernel(t)
	checkLeaks(t, compile(t, `BEGIN { @h[1] = count(); @n = 1; print(@h); clear(@h); clear(@n); }
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ { @h[1] = count(); clear(@h); }`))
}

// checkLeaks starts and closes a script several times.
func checkLeaks(t *testing.T, obj *object.Object) {
	t.Helper()
	var before map[string]int
	for round := range 3 {
		tr, err := Start(obj, testOptions(t))
		if err != nil {
			t.Fatal(err)
		}
		ids := programIDs(t, tr)
		if _, err := tr.Rows(obj.Maps[0]); err != nil {
			t.Error(err)
		}
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
		if err := tr.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
		waitGone(t, ids)
		if round == 0 {
			before = descriptors(t)
			continue
		}
		for target, n := range descriptors(t) {
			if n > before[target] {
				t.Errorf("%d descriptors of %s after Close, %d before", n, target, before[target])
			}
		}
	}
}

// A tracer that was closed answers, and does not crash.
func TestClosed(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	b := newObject("")
	m := b.addMap(cellMap())
	tr, err := Start(b.build(), testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	tr.Close()
	if _, err := tr.Rows(m); err == nil {
		t.Error("Rows gave no error")
	}
	if _, err := tr.Printed(&object.Event{Kind: object.EventPrintMap, Map: m}, nil); err == nil {
		t.Error("Printed gave no error")
	}
	if n := tr.LostEvents() + tr.Dropped(m) + tr.MapMemory(m) + uint64(tr.Active()); n != 0 {
		t.Errorf("a closed tracer counts %d", n)
	}
}

func programIDs(t *testing.T, tr *Tracer) []ebpf.ProgramID {
	t.Helper()
	var ids []ebpf.ProgramID
	for _, p := range tr.programs {
		info, err := p.kernel.Info()
		if err != nil {
			t.Fatal(err)
		}
		id, _ := info.ID()
		ids = append(ids, id)
	}
	return ids
}

// waitGone waits until the kernel has freed the programs, which it does after
// a grace period.
func waitGone(t *testing.T, ids []ebpf.ProgramID) {
	t.Helper()
	for _, id := range ids {
		eventually(t, "the program is gone", func() bool {
			p, err := ebpf.NewProgramFromID(id)
			if err == nil {
				p.Close()
			}
			return err != nil
		})
	}
}
