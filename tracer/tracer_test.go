package tracer

import (
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

func testOptions(t testing.TB) Options {
	return Options{Log: slog.New(slog.NewTextHandler(testWriter{t}, nil))}
}

// testWriter sends the log to the test's.
type testWriter struct{ testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// start starts a script and closes it when the test ends.
func start(t testing.TB, obj *object.Object, opt Options) *Tracer {
	t.Helper()
	need.BPF(t)
	tr, err := Start(obj, opt)
	if err != nil {
		t.Fatalf("Start: %s", plylang.Detail(err))
	}
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return tr
}

// counts returns word n of each value by key.
func counts(t testing.TB, tr *Tracer, m *object.Map, n int) map[uint64]uint64 {
	t.Helper()
	rows, err := tr.Rows(m)
	if err != nil {
		t.Fatalf("Rows: %v", err)
	}
	out := map[uint64]uint64{}
	for _, r := range rows {
		key := uint64(0)
		if r.Key != nil {
			key = object.Word(r.Key, 0)
		}
		if _, twice := out[key]; twice {
			t.Errorf("key %d came twice", key)
		}
		out[key] = object.Word(r.Value, n)
	}
	return out
}

// syscalls makes n system calls with the argument arg.
func syscalls(nr, n int, arg uintptr) {
	for range n {
		unix.RawSyscall(uintptr(nr), arg, 0, 0)
	}
}

func TestStorages(t *testing.T) {
	need.EachArch(t)
	for _, row := range []struct {
		name string
		m    object.Map
	}{
		{"per-CPU hash", countMap(object.PerCPUHash)},
		{"shared hash", countMap(object.SharedHash)},
		{"LRU hash", countMap(object.LRUHash)},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newObject("")
			m := b.addMap(row.m)
			b.program(object.AttachTracepoint, "raw_syscalls/sys_enter", points(sysEnter),
				onlySyscall(unix.SYS_GETPPID), keyArg(0xff), element(m), addOne(0))
			tr := start(t, b.build(), testOptions(t))
			for i := range 100 {
				syscalls(unix.SYS_GETPPID, i+1, uintptr(i))
			}
			got := counts(t, tr, m, 0)
			if len(got) != 100 {
				t.Errorf("%d keys, want 100", len(got))
			}
			for key, n := range got {
				if n != key+1 {
					t.Errorf("[%d] = %d, want %d", key, n, key+1)
				}
			}
		})
	}
}

func TestCell(t *testing.T) {
	need.EachKernel(t)
	b := newObject("")
	m := b.addMap(cellMap())
	b.program(object.AttachTracepoint, "raw_syscalls/sys_enter", points(sysEnter), onlySyscall(unix.SYS_GETPPID), cellAdd(m))
	tr := start(t, b.build(), testOptions(t))
	if got := counts(t, tr, m, 0); len(got) != 0 {
		t.Errorf("rows before the first event: %v", got)
	}
	syscalls(unix.SYS_GETPPID, 42, 0)
	rows, err := tr.Rows(m)
	if err != nil || len(rows) != 1 || rows[0].Key != nil || object.Word(rows[0].Value, 0) != 42 {
		t.Errorf("Rows = %v, %v", rows, err)
	}
}

func TestMapFull(t *testing.T) {
	need.EachKernel(t)
	b := newObject("")
	layout := countMap(object.PerCPUHash)
	layout.MaxEntries = 10
	m := b.addMap(layout)
	b.program(object.AttachTracepoint, "raw_syscalls/sys_enter", points(sysEnter),
		onlySyscall(unix.SYS_GETPPID), keyArg(0xff), element(m), addOne(0))
	tr := start(t, b.build(), testOptions(t))
	for i := range 25 {
		syscalls(unix.SYS_GETPPID, 3, uintptr(i))
	}
	got := counts(t, tr, m, 0)
	if dropped := tr.Dropped(m); len(got) != 10 || dropped != 45 {
		t.Errorf("%d keys and %d dropped updates, want 10 and 45", len(got), dropped)
	}
	if tr.MapMemory(m) == 0 {
		t.Error("the map occupies no memory")
	}
}

func TestLifecycle(t *testing.T) {
	need.EachKernel(t)
	b := newObject("")
	m := b.addMap(cellMap())
	b.ring(4096, &object.Event{Kind: object.EventPrint}, &object.Event{Kind: object.EventExit})
	b.program(object.AttachBegin, "", nil, cellAdd(m), emit(0, 1))
	b.program(object.AttachTracepoint, "raw_syscalls/sys_enter", points(sysEnter), onlySyscall(unix.SYS_GETPPID), emit(0, 2), setState(2, 1+7), emit(1, 0))
	b.program(object.AttachEnd, "", nil, cellAdd(m), emit(0, 3))
	var mu sync.Mutex
	var got []uint64
	opt := testOptions(t)
	opt.OnEvent = func(e *object.Event, record []byte) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, object.Word(record, 1))
	}
	tr := start(t, b.build(), opt)
	if n := tr.Active(); n != 1 {
		t.Errorf("%d probes active, want 1", n)
	}
	syscalls(unix.SYS_GETPPID, 1, 0)
	select {
	case status := <-tr.Exited():
		if status != 7 {
			t.Errorf("exit status %d, want 7", status)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("exit() did not arrive")
	}
	if err := tr.Stop(); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	syscalls(unix.SYS_GETPPID, 1, 0) // nobody counts this one
	mu.Lock()
	defer mu.Unlock()
	if want := []uint64{1, 2, 0, 3}; !equal(got, want) {
		t.Errorf("events %d, want %d", got, want)
	}
	if n := counts(t, tr, m, 0)[0]; n != 2 {
		t.Errorf("BEGIN and END counted %d, want 2", n)
	}
	if n := tr.Active(); n != 0 {
		t.Errorf("%d probes active after Stop, want 0", n)
	}
}

func equal(a, b []uint64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// A ring buffer that is full refuses events, and they are counted.
func TestLostEvents(t *testing.T) {
	need.EachKernel(t)
	b := newObject("")
	b.ring(4096, &object.Event{Kind: object.EventPrint})
	b.program(object.AttachTracepoint, "raw_syscalls/sys_enter", points(sysEnter), onlySyscall(unix.SYS_GETPPID), emit(0, 2))
	var mu sync.Mutex
	mu.Lock()
	received := 0
	opt := testOptions(t)
	opt.OnEvent = func(*object.Event, []byte) {
		mu.Lock()
		received++
		mu.Unlock()
	}
	tr := start(t, b.build(), opt)
	syscalls(unix.SYS_GETPPID, 1000, 0)
	mu.Unlock()
	if err := tr.Stop(); err != nil {
		t.Fatal(err)
	}
	if lost := tr.LostEvents(); lost == 0 || received+int(lost) != 1000 {
		t.Errorf("%d events received and %d lost, want 1000 in all and some lost", received, lost)
	}
}

// What the verifier refuses is reported at the script's line, as our bug.
func TestVerifierError(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	source := "tracepoint:raw_syscalls/sys_enter {\n    @x = nonsense;\n}\n"
	b := newObject(source)
	pos := plylang.Pos(strings.Index(source, "nonsense"))
	bad := asm.Mov.Reg(asm.R0, asm.R5).WithSource(object.Source{Src: b.obj.Script.Src, Pos: pos})
	b.program(object.AttachTracepoint, "raw_syscalls/sys_enter", points(sysEnter), asm.Instructions{bad})
	for name, err := range map[string]error{
		"Start":  errOf(Start(b.build(), testOptions(t))),
		"Verify": Verify(b.build(), testOptions(t)),
	} {
		var e *plylang.Error
		if !errors.As(err, &e) {
			t.Fatalf("%s: %v is not a plylang.Error", name, err)
		}
		if got := e.Error(); !strings.HasPrefix(got, "test.ply:2:10: this is a bug in ply-exporter") || !strings.Contains(got, "R5") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// What this machine cannot give is found without attaching, and said as a start
// says it.
func TestVerifyOpensEvents(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	source := "hardware:x {\n    @ = count();\n}\n"
	for _, row := range []struct {
		name string
		kind object.AttachKind
		site object.Site
		want string
	}{
		{"a counter that no machine has", object.AttachPerfEvent, object.PerfEvent{Name: "x", Type: unix.PERF_TYPE_HARDWARE, Config: 999, Period: 1 << 20, CPUs: []int{0}},
			"perf_event x: this machine has no such hardware counter"},
		{"a function that no kernel has", object.AttachKprobe, object.Function{Symbol: "no_such_function"},
			"kprobe no_such_function: this kernel does not have it"},
		{"its return", object.AttachKretprobe, object.Function{Symbol: "no_such_function"},
			"kretprobe no_such_function: this kernel does not have it"},
	} {
		b := newObject(source)
		b.program(row.kind, "hardware:x", points(row.site), cellAdd(b.addMap(cellMap())))
		start, verify := errOf(Start(b.build(), testOptions(t))), Verify(b.build(), testOptions(t))
		if start == nil || verify == nil || start.Error() != verify.Error() || !strings.Contains(verify.Error(), row.want) {
			t.Errorf("%s: Verify says %v, Start %v", row.name, verify, start)
		}
		if err := b.verifyGlob(t); err != nil {
			t.Errorf("%s: of a glob: %v", row.name, err)
		}
	}
	b := newObject(source)
	b.program(object.AttachPerfEvent, "profile:10hz", points(everyCPU(10)), cellAdd(b.addMap(cellMap())))
	if err := Verify(b.build(), testOptions(t)); err != nil {
		t.Errorf("a timer: %v", err)
	}
}

// verifyGlob verifies with attach points that come from globs.
func (b *objectBuilder) verifyGlob(t *testing.T) error {
	for _, p := range b.obj.Programs {
		for i := range p.Points {
			p.Points[i].Glob = true
		}
	}
	return Verify(b.build(), testOptions(t))
}

func errOf(tr *Tracer, err error) error {
	if tr != nil {
		tr.Close()
	}
	return err
}

func TestMissingPlace(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	b := newObject("tracepoint:sched/nonsense { }")
	b.program(object.AttachTracepoint, "sched/nonsense", points(tracepoint("sched/nonsense")))
	err := errOf(Start(b.build(), testOptions(t)))
	var e *plylang.Error
	if !errors.As(err, &e) || !e.Missing || !errors.Is(err, os.ErrNotExist) && !strings.Contains(err.Error(), "does not have it") {
		t.Errorf("error is %v", err)
	}
}

// A script that cannot be attached ends without its END, and does not touch
// the scripts that are started with it.
func TestStartAll(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	bad := newObject("")
	ended := 0
	bad.ring(4096, &object.Event{Kind: object.EventPrint})
	bad.program(object.AttachTracepoint, "sched/nonsense", points(tracepoint("sched/nonsense")))
	bad.program(object.AttachEnd, "", nil, emit(0, 1))
	broken := newObject("")
	broken.program(object.AttachBegin, "", nil, asm.Instructions{asm.Mov.Reg(asm.R0, asm.R5)})
	good := newObject("")
	m := good.addMap(countMap(object.PerCPUHash))
	good.program(object.AttachBegin, "", nil, keyImm(3), element(m), addOne(0))
	opt := testOptions(t)
	opt.OnEvent = func(*object.Event, []byte) { ended++ }
	tracers, errs := StartAll([]*object.Object{broken.build(), bad.build(), good.build()}, opt)
	if tracers[0] != nil || errs[0] == nil || tracers[1] != nil || errs[1] == nil || ended != 0 {
		t.Errorf("the scripts that fail: %v, errors %v, END ran %d times", tracers[:2], errs[:2], ended)
	}
	if errs[2] != nil {
		t.Fatal(errs[2])
	}
	defer tracers[2].Close()
	if got := counts(t, tracers[2], m, 0); got[3] != 1 {
		t.Errorf("the good script counted %v", got)
	}
}

// A glob's site that cannot be attached is a warning; all of them are an error.
func TestGlobSites(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	good := ofGlob(tracepoint("raw_syscalls/sys_enter"))
	bad := ofGlob(tracepoint("raw_syscalls/nonsense"))
	for _, row := range []struct {
		name   string
		points []object.AttachPoint
		active int // -1: an error
	}{
		{"one of two", points(bad, good), 1},
		{"none of two", points(bad, bad), -1},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newObject("")
			m := b.addMap(cellMap())
			b.program(object.AttachTracepoint, "raw_syscalls/*", row.points, onlySyscall(unix.SYS_GETPPID), cellAdd(m))
			tr, err := Start(b.build(), testOptions(t))
			if tr == nil {
				if row.active >= 0 {
					t.Errorf("Start: %v", err)
				}
				return
			}
			defer tr.Close()
			s := tr.Probes()[0]
			if s.Covers != row.active || s.Err == nil || !s.Attached {
				t.Errorf("status %+v", s)
			}
		})
	}
}
