package tracer

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/live"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// A pinnedRun is a process with pins, as far as scripts see it.
type pinnedRun struct {
	pins    *Pins
	tracers []*Tracer
	log     *strings.Builder
}

// runPinned starts scripts, or takes them over. Each is named by its place.
func runPinned(t *testing.T, path string, objs ...*object.Object) *pinnedRun {
	t.Helper()
	var as []PinName
	for i := range objs {
		as = append(as, PinName{Name: "script" + string(rune('a'+i))})
	}
	return runPinnedAs(t, path, as, objs...)
}

// runPinnedAs is runPinned for scripts with names.
func runPinnedAs(t *testing.T, path string, as []PinName, objs ...*object.Object) *pinnedRun {
	t.Helper()
	r := &pinnedRun{log: &strings.Builder{}}
	opt := Options{Kernel: runningKernel(t), Log: slog.New(slog.NewTextHandler(r.log, nil))}
	var err error
	if r.pins, err = OpenPins(path, opt.Log); err != nil {
		t.Fatal(err)
	}
	opt.Pins, opt.PinAs = r.pins, as
	var errs []error
	r.tracers, errs = StartAll(objs, opt)
	for i, err := range errs {
		if err != nil {
			t.Fatalf("script %d: %s", i, plylang.Detail(err))
		}
	}
	return r
}

// leave ends the process; the scripts go on.
func (r *pinnedRun) leave(t *testing.T) {
	t.Helper()
	for _, tr := range r.tracers {
		if err := tr.Leave(func() []byte { return nil }); err != nil {
			t.Error(err)
		}
	}
	r.pins.Close()
}

// end ends the process and the scripts.
func (r *pinnedRun) end(t *testing.T) {
	t.Helper()
	for _, tr := range r.tracers {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	}
	r.pins.Close()
}

// pinned lists what is pinned in a folder.
func pinned(t *testing.T, path string) (names []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(path, pinLayout, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A script that is pinned counts while there is no process, and the next one reads what
// it has counted since it began. The first rows' values are the sums of all keys.
func TestPinnedScriptsGoOn(t *testing.T) {
	need.OldAndNew(t)
	for _, row := range []struct {
		script string
		per    uint64 // what a call adds to the first map
	}{
		{"tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ { @ = count(); }", 1},
		{"kprobe:SyS_getppid /pid == PID/ { @[tid] = sum(3); }", 3},
		{"kprobe:SyS_getppid /pid == PID/ { @[comm, pid] = quantize(5); }", 5},
		{"kprobe:SyS_getppid /pid == PID/ { @[time & 15] = count(); print(pid); }", 1},
		{"BEGIN { @ = 40; } kprobe:SyS_getppid /pid == PID/ { @c = count(); } kprobe:SyS_getpriority { @r[tid] = sum(7); } END { @ = 7; }", 0},
	} {
		path := live.PinPath(t)
		obj := compile(t, row.script)
		first := runPinned(t, path, obj)
		if need.Older(need.Release(), "5.15") && strings.Contains(first.log.String(), "which Linux 5.15 brought") {
			first.end(t)
			continue
		}
		if !first.tracers[0].Pinned() {
			t.Fatalf("%s: not pinned: %s", row.script, first.log)
		}
		created, base := first.tracers[0].Created(), total(t, first.tracers[0])
		syscalls(unix.SYS_GETPPID, 1000, 0)
		first.leave(t)
		syscalls(unix.SYS_GETPPID, 500, 0)
		next := compile(t, row.script)
		for range 2 {
			r := runPinned(t, path, next)
			syscalls(unix.SYS_GETPPID, 250, 0)
			if r != nil && !r.tracers[0].Created().Equal(created) {
				t.Errorf("%s: created %s, and %s before", row.script, r.tracers[0].Created(), created)
			}
			if n := r.tracers[0].Active(); n == 0 {
				t.Errorf("%s: no probe is attached", row.script)
			}
			r.leave(t)
		}
		last := runPinned(t, path, next)
		if got, want := total(t, last.tracers[0])-base, 2000*row.per; got != want {
			t.Errorf("%s: counted %d, want %d", row.script, got, want)
		}
		ids := programIDs(t, last.tracers[0])
		last.end(t)
		if left := pinned(t, path); len(left) > 0 {
			t.Errorf("%s: left %q", row.script, left)
		}
		waitGone(t, ids)
	}
}

// Programs that are attached through perf go on, too, where perf events have links.
func TestPinnedPerfEventsGoOn(t *testing.T) {
	path := live.PinPath(t)
	b := newObject("")
	cell, ticks := b.addMap(cellMap()), b.addMap(cellMap())
	b.program(object.AttachTracepoint, "raw_syscalls/sys_enter", points(sysEnter), onlySyscall(unix.SYS_GETPPID), cellAdd(cell))
	b.program(object.AttachPerfEvent, "10hz", points(everyCPU(10)), cellAdd(ticks))
	obj := b.build()
	first := runPinned(t, path, obj)
	if need.Older(need.Release(), "5.15") {
		if left, text := pinned(t, path), first.log.String(); len(left) > 0 || !strings.Contains(text, "it starts afresh with the next exporter") {
			t.Errorf("left %q, log %s", left, text)
		}
		first.leave(t)
		return
	}
	syscalls(unix.SYS_GETPPID, 1000, 0)
	first.leave(t)
	syscalls(unix.SYS_GETPPID, 1000, 0)
	second := runPinned(t, path, obj)
	syscalls(unix.SYS_GETPPID, 1000, 0)
	if n := total(t, second.tracers[0]); n != 3000 {
		t.Errorf("counted %d, want 3000", n)
	}
	for _, p := range second.tracers[0].Probes() {
		if !p.Attached || p.Sites == 0 || p.Missed != 0 {
			t.Errorf("%+v", p)
		}
	}
	ids := programIDs(t, second.tracers[0])
	second.leave(t)
	if names, err := RemovePins(path, nil); err != nil || len(names) != 1 || names[0] != "scripta" {
		t.Error(names, err)
	}
	waitGone(t, ids)
}

// total is the sum of the first words of all values of the first map.
func total(t *testing.T, tr *Tracer) (sum uint64) {
	t.Helper()
	return totalOf(t, tr, tr.obj.Maps[0])
}

func totalOf(t *testing.T, tr *Tracer, m *object.Map) (sum uint64) {
	t.Helper()
	rows, err := tr.Rows(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		sum += object.Word(r.Value, 0)
	}
	return sum
}

// What a process leaves is for the next one that reads. A script that needs it starts afresh
// without.
func TestHandover(t *testing.T) {
	need.OldAndNew(t)
	path := live.PinPath(t)
	obj := compile(t, "kprobe:SyS_getppid /pid == PID/ { @ = count(); }")
	given := ""
	as := []PinName{{Name: "a", Needs: "it has more", Resume: func(h []byte) bool { given = string(h); return given == "what it knew" }}}
	killed := func(r *pinnedRun) {
		r.tracers[0].leaving = true
		if err := r.tracers[0].Close(); err != nil {
			t.Error(err)
		}
		r.pins.Close()
	}
	first := runPinnedAs(t, path, as, obj)
	syscalls(unix.SYS_GETPPID, 10, 0)
	if err := first.tracers[0].Leave(func() []byte { return []byte("what it knew") }); err != nil {
		t.Fatal(err)
	}
	first.pins.Close()
	killed(runPinnedAs(t, path, as, obj)) // before it has read anything
	second := runPinnedAs(t, path, as, obj)
	syscalls(unix.SYS_GETPPID, 5, 0)
	if n := total(t, second.tracers[0]); n != 15 || given != "what it knew" {
		t.Errorf("counted %d with %q, want 15", n, given)
	}
	killed(second)
	third := runPinnedAs(t, path, as, obj)
	syscalls(unix.SYS_GETPPID, 2, 0)
	if n, log := total(t, third.tracers[0]), third.log.String(); n != 2 || given != "" || !strings.Contains(log, "it has more, which only the process before knew") {
		t.Errorf("counted %d with %q, want 2 afresh: %s", n, given, log)
	}
	if err := third.tracers[0].Leave(func() []byte { return []byte("of others") }); err != nil {
		t.Fatal(err)
	}
	third.pins.Close()
	fourth := runPinnedAs(t, path, as, obj)
	if log := fourth.log.String(); given != "of others" || !strings.Contains(log, "only the process before knew, and what it has left is of metrics with other names or labels") {
		t.Errorf("given %q: %s", given, log)
	}
	fourth.end(t)
	if left := pinned(t, path); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// A script without a name is not pinned.
func TestPinsOfNoName(t *testing.T) {
	need.BPF(t)
	path := live.PinPath(t)
	pins, err := OpenPins(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer pins.Close()
	opt := testOptions(t)
	opt.Pins, opt.PinAs = pins, []PinName{{}}
	tracers, errs := StartAll([]*object.Object{compile(t, `rawtracepoint:sched_switch { @ = count(); }`)}, opt)
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	defer func() { _ = tracers[0].Close() }()
	if left := pinned(t, path); len(left) > 0 {
		t.Errorf("%v is pinned", left)
	}
}

// What has changed starts afresh, and what nobody claims is removed.
func TestPinsOfOtherScriptsAreRemoved(t *testing.T) {
	path := live.PinPath(t)
	const a, b = "kprobe:SyS_getppid /pid == PID/ { @ = count(); }", "kprobe:SyS_getppid /pid == PID/ { @ = sum(2); }"
	first := runPinned(t, path, compile(t, a), compile(t, a))
	syscalls(unix.SYS_GETPPID, 10, 0)
	ids := programIDs(t, first.tracers[1])
	first.leave(t)
	second := runPinned(t, path, compile(t, a), compile(t, b))
	waitGone(t, ids)
	syscalls(unix.SYS_GETPPID, 1, 0)
	if one, two := total(t, second.tracers[0]), total(t, second.tracers[1]); one != 11 || two != 2 {
		t.Errorf("counted %d and %d, want 11 and 2", one, two)
	}
	second.leave(t)
	third := runPinned(t, path, compile(t, b))
	syscalls(unix.SYS_GETPPID, 1, 0)
	if n := total(t, third.tracers[0]); n != 2 {
		t.Errorf("the second script's counts are those of the first: %d", n)
	}
	third.end(t)
}

// A process that has nothing but the pins of one that was killed while it pinned, or of
// another layout, begins again.
func TestPinsThatAreNotWhole(t *testing.T) {
	obj := compile(t, "kprobe:SyS_getppid /pid == PID/ { @[tid] = count(); }")
	for name, harm := range map[string]struct {
		do   func(path, script string) error
		says string
	}{
		"no record":     {func(_, script string) error { return os.Remove(filepath.Join(script, recordPin)) }, ""},
		"a map is gone": {func(_, script string) error { return os.Remove(filepath.Join(script, mapPin(0))) }, "cannot be taken over"},
		"a map is another": {func(_, script string) error {
			return os.Rename(filepath.Join(script, notesPin), filepath.Join(script, mapPin(0)))
		}, "it is of another layout"},
		"the record is no record": {func(_, script string) error {
			return os.Rename(filepath.Join(script, programPin(0)), filepath.Join(script, recordPin))
		}, "cannot be read"},
		"another layout": {func(path, _ string) error {
			return os.Rename(filepath.Join(path, pinLayout), filepath.Join(path, "v9"))
		}, "another version's layout"},
	} {
		path := live.PinPath(t)
		first := runPinned(t, path, obj)
		syscalls(unix.SYS_GETPPID, 10, 0)
		script := first.tracers[0].folder
		first.leave(t)
		if err := harm.do(path, script); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again := runPinned(t, path, obj)
		syscalls(unix.SYS_GETPPID, 1, 0)
		if n := total(t, again.tracers[0]); n != 1 {
			t.Errorf("%s: counted %d, want 1", name, n)
		}
		if text := again.log.String(); !strings.Contains(text, harm.says) || harm.says == "" && text != "" {
			t.Errorf("%s: log %q, want %q", name, text, harm.says)
		}
		if _, err := os.Lstat(script); err == nil {
			t.Errorf("%s: %s is left", name, script)
		}
		again.end(t)
	}
}

// Each mistake in a path is named, with what to do.
func TestPinPaths(t *testing.T) {
	good := live.PinPath(t)
	root := filepath.Dir(good)
	foreign, open, other := filepath.Join(root, "foreign"), filepath.Join(root, "open"), filepath.Join(root, "other")
	alike, empty := filepath.Join(root, "alike"), filepath.Join(root, "empty")
	for _, folder := range []string{
		foreign, filepath.Join(foreign, "cilium"), open, other, empty, alike, filepath.Join(alike, pinLayout), filepath.Join(alike, pinLayout, "zz"),
	} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(open, 0o770); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(other, 12, 12); err != nil {
		t.Fatal(err)
	}
	held, err := OpenPins(good, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		t.TempDir():                           "is not in a BPF file system",
		filepath.Join(t.TempDir(), "new"):     "is not in a BPF file system",
		filepath.Join(root, "none", "deeper"): "cannot be made: there is no folder ",
		filepath.Join(root, "with.dot"):       "cannot be made: names in a BPF file system have no dots",
		foreign:                               "holds what is not of ply-exporter (cilium): give a folder of its own",
		alike:                                 "holds what is not of ply-exporter (" + pinLayout + "): give a folder of its own",
		open:                                  "can be written to by other users: run \"chmod 700 ",
		other:                                 "belongs to user 12, and the exporter runs as user 0",
		good:                                  "is used by another exporter (process ",
	} {
		p, err := OpenPins(path, slog.Default())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
			p.Close()
		}
	}
	if _, err := RemovePins(good, nil); err == nil {
		t.Error("pins were removed while an exporter had them")
	}
	if _, err := RemovePins(other, nil); err != nil {
		t.Errorf("root does not remove pins of another user: %v", err)
	}
	for _, path := range []string{alike, ""} {
		if _, err := RemovePins(path, nil); err == nil {
			t.Errorf("pins of %q were removed", path)
		}
	}
	if _, err := RemovePins(empty, nil); err != nil {
		t.Error(err)
	}
	for _, folder := range []string{filepath.Join(alike, pinLayout, "zz"), empty} {
		if _, err := os.Stat(folder); err != nil {
			t.Errorf("a folder of others was removed: %v", err)
		}
	}
	held.Close()
	if names, err := RemovePins(good, nil); err != nil || len(names) > 0 {
		t.Error(names, err)
	}
	if _, err := os.Stat(good); err == nil {
		t.Errorf("%s is left", good)
	}
}

// A map that is cleared keeps since when it counts, how often it was cleared late, and its
// generations; one that was cleared while nobody looked counts since then.
func TestPinnedClears(t *testing.T) {
	path := live.PinPath(t)
	obj := compile(t, "kprobe:SyS_getppid /pid == PID/ { @[1] = count(); } kprobe:SyS_getpriority /pid == PID/ { clear(@); }")
	cleared := func(r *pinnedRun) time.Time {
		c, err := r.tracers[0].Contents(obj.Maps[0])
		if err != nil {
			t.Fatal(err)
		}
		return c.Cleared
	}
	first := runPinned(t, path, obj)
	syscalls(unix.SYS_GETPPID, 10, 0)
	syscalls(unix.SYS_GETPRIORITY, 1, 0)
	syscalls(unix.SYS_GETPPID, 3, 0)
	since := cleared(first)
	first.leave(t)
	second := runPinned(t, path, obj)
	if n, got := total(t, second.tracers[0]), cleared(second); n != 3 || !got.Equal(since) {
		t.Errorf("%d since %s, want 3 since %s", n, got, since)
	}
	second.leave(t)
	for range 2 * object.Generations { // more than there are empty ones
		syscalls(unix.SYS_GETPRIORITY, 1, 0)
		syscalls(unix.SYS_GETPPID, 5, 0)
	}
	between := time.Now()
	third := runPinned(t, path, obj)
	third.tracers[0].watcher.hurry()
	for range 1000 {
		if third.tracers[0].LateClears(obj.Maps[0]) > 0 {
			break
		}
		time.Sleep(watchEvery)
	}
	syscalls(unix.SYS_GETPPID, 2, 0)
	if n, got := total(t, third.tracers[0]), cleared(third); n != 2 || got.Before(between) {
		t.Errorf("%d since %s, want 2 since %s", n, got, between)
	}
	third.leave(t)
	fourth := runPinned(t, path, obj)
	if n := fourth.tracers[0].LateClears(obj.Maps[0]); n != 1 {
		t.Errorf("%d clears came late, want 1", n)
	}
	fourth.end(t)
}
