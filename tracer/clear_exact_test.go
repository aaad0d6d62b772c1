package tracer

import (
	"bytes"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// prints adds up what a script prints of its maps.
type prints struct {
	mu     sync.Mutex
	t      testing.TB
	tr     *Tracer
	ready  chan struct{}
	number map[string]int
	sums   map[string]map[uint64]uint64
}

// startPrinting starts a script and adds up what it prints until it is stopped.
func startPrinting(t *testing.T, obj *object.Object) *prints {
	t.Helper()
	p := &prints{t: t, ready: make(chan struct{}), number: map[string]int{}, sums: map[string]map[uint64]uint64{}}
	opt := testOptions(t)
	opt.OnEvent = func(e *object.Event, record []byte) {
		<-p.ready
		if e.Kind != object.EventPrintMap {
			return
		}
		rows, err := p.tr.Printed(e, record)
		if err != nil {
			t.Error(err)
		}
		p.add(e.Map, rows)
	}
	p.tr = start(t, obj, opt)
	close(p.ready)
	return p
}

func (p *prints) add(m *object.Map, rows []Row) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.number[m.Name]++
	if p.sums[m.Name] == nil {
		p.sums[m.Name] = map[uint64]uint64{}
	}
	for key, n := range rowsOf(m, rows) {
		p.sums[m.Name][key] += n
	}
}

// finish stops the script and adds what is left in its maps.
func (p *prints) finish() {
	p.t.Helper()
	if err := p.tr.Stop(); err != nil {
		p.t.Fatal(err)
	}
	for _, m := range p.tr.obj.Maps {
		rows, err := p.tr.Rows(m)
		if err != nil {
			p.t.Fatal(err)
		}
		p.add(m, rows)
	}
}

// clearedOften counts calls into maps of all kinds that are printed and cleared
// again and again.
const clearedOften = `
	tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ {
		@hash[data->args[0]] = count(); @cell = count(); @sizes[data->args[0]] = quantize(1); table[data->args[0]]++; @all++;
	}
	interval:ms:20 { print(@hash); clear(@hash); print(@cell); clear(@cell); print(@sizes); clear(@sizes); print(table); clear(table); }`

// What is printed before each clear() adds up to all events, while threads
// preempt each other on all CPUs, and a reader sees no count fall that was not
// cleared.
func TestExactBesideClears(t *testing.T) {
	need.EachKernel(t)
	events := exactEvents / 8
	p := startPrinting(t, compile(t, clearedOften))
	checkExactBesideClears(t, p, events)
	for _, c := range p.tr.clearings {
		if c == nil || c.Storage == object.Cell {
			continue
		}
		if _, disturbs := c.emptier.(deletions); disturbs {
			t.Errorf("%s is emptied by bpf(2)", c.Name)
		}
	}
}

func checkExactBesideClears(t *testing.T, p *prints, events uint64) {
	t.Helper()
	var stop atomic.Bool
	done := make(chan struct{})
	go func() { defer close(done); readClearedLoop(t, p.tr, &stop) }()
	workload(t, events)
	stop.Store(true)
	<-done
	p.finish()
	each := map[uint64]uint64{}
	for key := range uint64(64) {
		each[key] = events / 64
	}
	for name, want := range map[string]map[uint64]uint64{
		"@hash": each, "@cell": {0: events}, "@sizes": each, "table": each, "@all": {0: events},
	} {
		if got := p.sums[name]; !maps.Equal(got, want) {
			t.Errorf("%s adds up to %v in %d prints, want %v", name, got, p.number[name], want)
		}
		if name != "@all" && p.number[name] < 3 {
			t.Errorf("%s was printed %d times only", name, p.number[name])
		}
	}
	for _, m := range p.tr.obj.Maps {
		t.Logf("%s: %d prints, %d late clears", m.Name, p.number[m.Name], p.tr.LateClears(m))
	}
}

// readClearedLoop reads all maps until stop is set. Counts fall only when the
// map was cleared.
func readClearedLoop(t *testing.T, tr *Tracer, stop *atomic.Bool) {
	last, since := make([]map[uint64]uint64, len(tr.obj.Maps)), make([]time.Time, len(tr.obj.Maps))
	for !stop.Load() {
		for i, m := range tr.obj.Maps {
			now, err := tr.Contents(m)
			if err != nil {
				t.Errorf("%s: %v", m.Name, err)
				return
			}
			got := rowsOf(m, now.list())
			for key, n := range last[i] {
				if now.Cleared.Equal(since[i]) && got[key] < n {
					t.Errorf("%s[%d] fell from %d to %d", m.Name, key, n, got[key])
				}
			}
			last[i], since[i] = got, now.Cleared
		}
	}
}

// The ways of reading and emptying a map that this kernel does not need work, too,
// and so do keys that are too large for a stack.
func TestWaysOfEmptying(t *testing.T) {
	need.EachKernel(t)
	for _, name := range []string{"walk", "bpf"} {
		t.Run(name, func(t *testing.T) {
			if name == "walk" {
				need.Kernel(t, "5.19", "programs that list elements")
			}
			tr := start(t, compile(t, `tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ {
				@hash[data->args[0], comm] = count(); @[data->args[0]] = quantize(1); table[data->args[0]]++;
				@long[data->args[0], str(0, 250), str(0, 230)] = count();
				if (data->args[0] == 99) { clear(@hash); clear(@); clear(table); clear(@long); }
			}`), testOptions(t))
			for _, c := range tr.clearings {
				useOtherWay(t, tr, c, name)
			}
			for range 2 * object.Generations {
				for i := range uintptr(100) {
					syscalls(unix.SYS_GETPPID, 1, i)
				}
				syscalls(unix.SYS_GETPPID, 1, 5)
				eventually(t, "the old generation is empty", func() bool { return tr.settled() })
				for _, m := range tr.obj.Maps {
					if got := counts(t, tr, m, 0); len(got) != 1 {
						t.Errorf("%s has %v after clear() and one event", m.Name, got)
					}
				}
			}
		})
	}
}

// useOtherWay replaces how a map is read and emptied.
func useOtherWay(t *testing.T, tr *Tracer, c *clearing, name string) {
	t.Helper()
	c.emptier.close()
	for _, r := range c.generations {
		r.elements.close()
		r.elements = lookups{r.shape, r.kernel}
	}
	c.emptier = deletions{c}
	if name != "walk" {
		return
	}
	for _, r := range c.generations {
		e, err := openLister(r.shape, r.kernel)
		if err != nil {
			t.Fatal(err)
		}
		r.elements = e
	}
	var err error
	if c.emptier, err = c.openWalkEmptier(tr.coll.Maps[c.SpecName], tr.coll.Maps[object.ClearMap]); err != nil {
		t.Fatal(err)
	}
}

// A clear() needs no room in the ring buffer, and nobody who reads it.
func TestClearBesideAFullRing(t *testing.T) {
	need.EachKernel(t)
	obj := compile(t, `
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID && data->args[0] == 1/ { print(str(0, 500)); }
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID && data->args[0] == 2/ { printf("x"); }
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID && data->args[0] == 3/ { clear(@); clear(@n); @[tid] = count(); @n++; }`)
	opt, release := testOptions(t), make(chan struct{})
	opt.OnEvent = func(*object.Event, []byte) { <-release }
	tr, err := Start(obj, opt)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	syscalls(unix.SYS_GETPPID, 4000, 1)
	syscalls(unix.SYS_GETPPID, 100, 2) // the last crevices
	lost := tr.LostEvents()
	for range 2 * object.Generations {
		syscalls(unix.SYS_GETPPID, 1, 3)
		for _, m := range obj.Maps {
			for key, n := range counts(t, tr, m, 0) {
				if n != 1 {
					t.Errorf("%s[%d] is %d after clear() and one event", m.Name, key, n)
				}
			}
		}
		eventually(t, "the old generation is empty", func() bool { return tr.settled() })
	}
	if n := tr.LostEvents(); n != lost || lost == 0 {
		t.Errorf("%d events were lost by clear(), %d before", n-lost, lost)
	}
	close(release)
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
}

// More clears than there are generations are late, and said to be, and what is
// printed adds up all the same.
func TestLateClears(t *testing.T) {
	need.EachKernel(t)
	p := startPrinting(t, compile(t, `BEGIN { unroll(6) { @h[1] = count(); print(@h); clear(@h); } @h[1] = count(); }
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ { @h[1] = count(); }`))
	m := p.tr.obj.Maps[0]
	eventually(t, "the clear() that waits is carried out", func() bool { return p.tr.LateClears(m) == 1 && p.tr.settled() })
	syscalls(unix.SYS_GETPPID, 5, 0)
	if got := counts(t, p.tr, m, 0); got[1] != 5 {
		t.Errorf("after the clear() that came late: %v, want 5", got)
	}
	p.finish()
	if got, n := p.sums["@h"][1], p.number["@h"]; got != 7+5 || n != 7 {
		t.Errorf("%d prints add up to %d, want 7 and 12", n, got)
	}
}

// stalled starts a script whose watcher does nothing by itself. Its wait does
// what programs do that are running still.
func stalled(t *testing.T, script string, running func(tr *Tracer, c *clearing)) (*Tracer, *watcher, *clearing) {
	t.Helper()
	tr := start(t, compile(t, script), testOptions(t))
	tr.watcher.end()
	w := &watcher{t: tr, stop: make(chan struct{}), ended: make(chan struct{})}
	close(w.ended)
	c := tr.clearings[0]
	w.wait = func() error { running(tr, c); return nil }
	tr.watcher = w
	return tr, w, c
}

const countsAndClears = `
	tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID && data->args[0] != 99/ { n[data->args[0]]++; }
	tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID && data->args[0] == 99/ { clear(n); }
	END { print(n); }`

// What programs that run at the clear() still store is read, and then gone.
func TestClearWaitsForPrograms(t *testing.T) {
	need.BPF(t)
	_, w, c := stalled(t, countsAndClears, func(_ *Tracer, c *clearing) {
		if err := c.generations[0].kernel.Put(uint64(8), uint64(6)); err != nil {
			t.Error(err)
		}
	})
	syscalls(unix.SYS_GETPPID, 5, 1)
	syscalls(unix.SYS_GETPPID, 1, 99)
	if !w.settle() {
		t.Fatal("nothing was settled")
	}
	got := rowsOf(c.Map, c.kept[0].rows)
	if want := map[uint64]uint64{1: 5, 8: 6}; !maps.Equal(got, want) {
		t.Errorf("the old generation is %v, want %v", got, want)
	}
	if now, err := c.generations[0].read(); err != nil || now.Len > 0 {
		t.Errorf("the old generation has %v afterwards, %v", now.list(), err)
	}
}

// A print() shows all of its generation although the clear() comes when its event
// was read.
func TestPrintWaitsForPrograms(t *testing.T) {
	need.BPF(t)
	tr, w, c := stalled(t, countsAndClears, nil)
	again := false
	w.wait = func() error {
		if !again {
			again = true
			syscalls(unix.SYS_GETPPID, 2, 1)
			syscalls(unix.SYS_GETPPID, 1, 99)
			syscalls(unix.SYS_GETPPID, 3, 1)
			w.settle()
		}
		return nil
	}
	syscalls(unix.SYS_GETPPID, 5, 1)
	rows, err := tr.printedOf(c, 0)
	if got, want := rowsOf(c.Map, rows), map[uint64]uint64{1: 7}; err != nil || !maps.Equal(got, want) {
		t.Errorf("print shows %v, want %v (%v)", got, want, err)
	}
	if got := counts(t, tr, c.Map, 0); got[1] != 3 {
		t.Errorf("the map is %v, want 3", got)
	}
}

// A print() whose generation is not kept any more is a lost event.
func TestPrintOfForgottenGeneration(t *testing.T) {
	need.BPF(t)
	tr, w, c := stalled(t, countsAndClears, func(*Tracer, *clearing) {})
	syscalls(unix.SYS_GETPPID, 5, 1)
	syscalls(unix.SYS_GETPPID, 1, 99)
	w.settle()
	c.forget(tr.events.position())
	if rows, err := tr.printedOf(c, 0); err == nil || len(rows) > 0 {
		t.Errorf("print shows %v, want an error", rows)
	}
	if n := tr.LostEvents(); n != 1 || c.size != 0 {
		t.Errorf("%d events are lost and %d bytes kept, want 1 and none", n, c.size)
	}
}

// What is kept for prints that nobody reads is bounded; the newest stays.
func TestKeptGenerationsAreBounded(t *testing.T) {
	c := &clearing{kept: map[uint64]*past{}}
	for g := range uint64(10) {
		c.remember(g, &past{size: maxKept / 4})
	}
	if len(c.kept) != 4 || c.kept[9] == nil || c.kept[5] != nil || c.size != maxKept {
		t.Errorf("%d generations of %d bytes in all are kept, want the last 4", len(c.kept), c.size)
	}
}

// brokenEmptier cannot empty anything.
type brokenEmptier struct{}

func (brokenEmptier) empty(int, []byte) error { return unix.EPERM }
func (brokenEmptier) close()                  {}

// A map that cannot be emptied is never mixed with what was in it, and it is said
// once.
func TestMapThatCannotBeEmptied(t *testing.T) {
	need.BPF(t)
	tr, w, c := stalled(t, countsAndClears, func(*Tracer, *clearing) {})
	c.emptier.close()
	c.emptier = brokenEmptier{}
	var said bytes.Buffer
	tr.opt.Log = slog.New(slog.NewTextHandler(&said, nil))
	for range 2 * object.Generations {
		syscalls(unix.SYS_GETPPID, 1, 1)
		syscalls(unix.SYS_GETPPID, 1, 99)
		w.settle()
	}
	if got := counts(t, tr, c.Map, 0); got[1] != object.Generations+1 {
		t.Errorf("the map is %v, want what came after the last clear() that was possible", got)
	}
	if n := strings.Count(said.String(), "\n"); n != 1 || !strings.Contains(said.String(), "map=n") {
		t.Errorf("the log has %d lines:\n%s", n, said.String())
	}
}
