package tracer

import (
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/live"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// expireAll compiles a script whose maps with keys all expire.
func expireAll(t testing.TB, script string, entries int) *object.Object {
	t.Helper()
	parsed, err := plylang.Parse(&plylang.Source{Text: numbered(script)})
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	k := runningKernel(t)
	if err := plylang.Check(parsed, bpfgen.NewEnv(k, bpfgen.Options{Run: true}, nil)); err != nil {
		t.Fatal(plylang.Detail(err))
	}
	opt := bpfgen.Options{Run: true, MaxEntries: entries, Maps: map[string]bpfgen.MapOptions{}}
	for _, m := range parsed.Maps {
		if len(m.Keys) > 0 {
			opt.Maps[m.Name] = bpfgen.MapOptions{Expire: time.Hour}
		}
	}
	obj, err := bpfgen.Compile(parsed, k, opt)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	return obj
}

// rareKeys is how many keys rarely makes events with.
const rareKeys = 512

// rarely makes n calls of getppid in all, from threads on all CPUs, with arguments
// some of which come a thousand times as often as others. It returns how many there
// were of each.
func rarely(n int) *[rareKeys]atomic.Uint64 {
	var made [rareKeys]atomic.Uint64
	threads := runtime.NumCPU() * threadsPerCPU
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads + 2))
	var wait sync.WaitGroup
	for i := range threads {
		wait.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for range n / threads {
				key := int(rareKeys * math.Pow(r.Float64(), 10))
				getppid(uintptr(key))
				made[key].Add(1)
			}
		})
	}
	wait.Wait()
	return &made
}

const expiringMaps = `
	tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ {
		@all = count(); key = data->args[0];
		@count[key] = count(); @sum[key] = sum(1); @sizes[key] = quantize(1); @mean[key] = avg(1); table[key]++;
		@max[key] = max(key + 1); last[key] = key + 1; mixed[key] |= key + 1; name[key] = "x";
	}`

const fewExpiringMaps = `
	tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ {
		key = data->args[0]; @count[key] = count(); @sizes[key] = quantize(1); table[key]++; last[key] = key + 1;
	}`

// What is stored, has expired and was refused adds up to all events, while keys expire
// as fast as they can and come back at the same time.
func TestExactBesideExpiry(t *testing.T) {
	need.OldAndNew(t)
	need.BPF(t)
	script, events := expiringMaps, int(exactEvents/8)
	if need.InGuest() { // where all takes longer
		script, events = fewExpiringMaps, int(exactEvents/16)
	}
	checkExactBesideExpiry(t, start(t, expireAll(t, script, 0), testOptions(t)), events)
}

func checkExactBesideExpiry(t *testing.T, tr *Tracer, events int) {
	t.Helper()
	gone := make([]map[uint64]uint64, len(tr.obj.Maps))
	for i := range gone {
		gone[i] = map[uint64]uint64{}
	}
	var stop atomic.Bool
	var wait sync.WaitGroup
	for _, x := range tr.expirings {
		wait.Go(func() {
			for !stop.Load() {
				if err := x.tick(waitForPrograms); err != nil {

					t.Error(err)
				}
				x.gather(t, gone[x.ID], nil)
			}
		})
	}
	made := rarely(events)
	for more := 0; more < 4 && expiredKeys(tr) < enoughExpired; more++ { // a busy machine is slow to look
		again := rarely(events)
		for key := range again {
			made[key].Add(again[key].Load())
		}
	}
	stop.Store(true)
	wait.Wait()
	var all uint64
	for i := range made {
		all += made[i].Load()
	}
	for _, m := range tr.obj.Maps {
		if m.Expiry == nil {
			continue
		}
		x := tr.expiryOf(m)
		stored := map[uint64]uint64{}
		x.gather(t, gone[m.ID], stored)
		var sum, expired uint64
		for key, n := range stored {
			sum += n
			if _, adds := additive[m.Name]; !adds && n != key+1 && m.Name != "name" {
				t.Errorf("%s[%d] is %d", m.Name, key, n)
			}
		}
		for _, n := range gone[m.ID] {
			expired += n
		}
		t.Logf("%s: %d events are stored, %d have expired with %d keys, %d were refused", m.Name, sum, expired, tr.Expired(m), tr.Dropped(m))
		if !additive[m.Name] {
			continue
		}
		if sum+expired+tr.Dropped(m) != all {
			t.Errorf("%s: %d events are stored, expired or refused, want %d", m.Name, sum+expired+tr.Dropped(m), all)
		}
		for key := range made {
			if got, want := stored[uint64(key)]+gone[m.ID][uint64(key)], made[key].Load(); got != want && tr.Dropped(m) == 0 {
				t.Errorf("%s[%d] is %d, want %d", m.Name, key, got, want)
			}
		}
	}
	if keys := expiredKeys(tr); keys < enoughExpired {
		t.Errorf("%d keys have expired: too few to show anything", keys)
	}
}

// enoughExpired is how many keys of all maps must have expired to show anything.
const enoughExpired = 20

func expiredKeys(tr *Tracer) (keys uint64) {
	for _, m := range tr.obj.Maps {
		if m.Expiry != nil {
			keys += tr.Expired(m)
		}
	}
	return keys
}

// additive are the maps whose values are numbers of events.
var additive = map[string]bool{"@count": true, "@sum": true, "@sizes": true, "@mean": true, "table": true}

// gather adds what has expired to gone, and takes what is in the map into stored.
func (x *expiring) gather(t testing.TB, gone, stored map[uint64]uint64) {
	c, err := x.read()
	if err != nil {
		t.Error(err)
	}
	for _, row := range c.Expired {
		gone[object.Word(row.Key, 0)] += object.Word(row.Value, 0)
	}
	if stored != nil {
		for _, row := range c.list() {
			stored[object.Word(row.Key, 0)] += object.Word(row.Value, 0)
		}
	}
	x.main.mu.Lock()
	defer x.main.mu.Unlock()
	x.gone, x.taken = nil, c.ExpiredEnd
}

// A process that ends while old elements are deleted leaves counts in the late hash,
// which the next one reads, and adds to the map. What depends on the process before is
// not taken over.
func TestPinnedExpiry(t *testing.T) {
	need.OneGuest(t)
	need.BPF(t)
	need.Kernel(t, "5.15", "links of tracepoints")
	path := live.PinPath(t)
	obj := func() *object.Object {
		return expireAll(t, `tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ { @[data->args[0]] = count(); }`, 0)
	}
	first := runPinned(t, path, obj())
	x := first.tracers[0].expirings[0]
	syscalls(unix.SYS_GETPPID, 100, 1)
	for range object.ExpireTicks + 2 {
		if err := x.tick(waitForPrograms); err != nil {
			t.Fatal(err)
		}
	}
	syscalls(unix.SYS_GETPPID, 10, 2)
	x.words.store(x.Expiry.ID, x.now()|object.ExpireLate)
	syscalls(unix.SYS_GETPPID, 7, 3)
	first.leave(t)
	syscalls(unix.SYS_GETPPID, 5, 3)
	next := runPinned(t, path, obj())
	tr := next.tracers[0]
	for range 2 {
		got := rowsOf(tr.obj.Maps[0], must(tr.Rows(tr.obj.Maps[0])))
		if want := map[uint64]uint64{2: 10, 3: 12}; !maps.Equal(got, want) || tr.Expired(tr.obj.Maps[0]) != 1 {
			t.Errorf("%v, and %d keys have expired, want %v and 1", got, tr.Expired(tr.obj.Maps[0]), want)
		}
		if err := tr.expirings[0].tick(waitForPrograms); err != nil {
			t.Fatal(err)
		}
	}
	if x := tr.expirings[0]; x.main.beside || x.now()&object.ExpireMode != 0 {
		t.Error("the late hash is still in use")
	}
	tr.DependOnPast(true)
	next.leave(t)
	last := runPinned(t, path, obj())
	if rows := must(last.tracers[0].Rows(last.tracers[0].obj.Maps[0])); len(rows) > 0 {
		t.Errorf("%d rows were taken over", len(rows))
	}
	if log := last.log.String(); !strings.Contains(log, "counts of keys that have expired, or were deleted or evicted, which only the process before knew") {
		t.Errorf("the log: %s", log)
	}
	last.end(t)
}

// Counts of keys that have expired are in no map. If the process ends before they were
// taken, series that have them beside others would fall, so that the script starts afresh.
func TestPinnedExpiryNotTaken(t *testing.T) {
	need.OneGuest(t)
	need.BPF(t)
	need.Kernel(t, "5.15", "links of tracepoints")
	for _, taken := range []bool{false, true} {
		path := live.PinPath(t)
		obj := expireAll(t, `tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ { @[data->args[0]] = count(); }`, 0)
		as := []PinName{{Name: "counts", Joined: []string{obj.Maps[0].Name}}}
		first := runPinnedAs(t, path, as, obj)
		tr := first.tracers[0]
		syscalls(unix.SYS_GETPPID, 100, 1)
		for range object.ExpireTicks + 2 {
			if err := tr.expirings[0].tick(waitForPrograms); err != nil {
				t.Fatal(err)
			}
		}
		syscalls(unix.SYS_GETPPID, 10, 2)
		if taken {
			tr.TakeExpired(obj.Maps[0], must(tr.expirings[0].read()).ExpiredEnd)
		}
		first.leave(t)
		next := runPinnedAs(t, path, as, obj)
		want := map[uint64]uint64{}
		if taken {
			want[2] = 10
		}
		if got := rowsOf(obj.Maps[0], must(next.tracers[0].Rows(obj.Maps[0]))); !maps.Equal(got, want) {
			t.Errorf("taken %t: %v, want %v", taken, got, want)
		}
		next.end(t)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// What a script reads of its tables, and what is in all maps, in each mode.
func TestModesOfExpiry(t *testing.T) {
	need.OldAndNew(t)
	need.BPF(t)
	tr := start(t, expireAll(t, `
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID && data->args[0] == 1/ {
			adds[1]++; sets[1] = 7; mixed[1] += 3; names["k", 1] = "abc";
			@long[str(0, 200), 1] = count(); @sizes[1] = quantize(100, 4); @mean[1] = avg(6); @min[1] = min(4); @cpu[cpu * 0] = sum(5);
		}
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID && data->args[0] == 2/ {
			a = adds[1]; s = sets[1]; m = mixed[1]; n = names["k", 1] == "abc"; read = a * 1000000 + s * 10000 + m * 100 + n;
		}
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID && data->args[0] == 3/ {
			delete adds[1]; delete sets[1]; delete mixed[1]; delete names["k", 1];
		}`, 0), testOptions(t))
	expect := func(when string, adds, sets, mixed, names uint64) {
		t.Helper()
		syscalls(unix.SYS_GETPPID, 1, 2)
		for _, m := range tr.obj.Maps {
			if got, want := counts(t, tr, m, 0)[0], adds*1000000+sets*10000+mixed*100+names; m.Name == "read" && got != want {
				t.Errorf("%s: the script reads %d, want %d", when, got, want)
			}
		}
	}
	each := func(do func(x *expiring) error) {
		t.Helper()
		for _, x := range tr.expirings {
			if err := do(x); err != nil {
				t.Fatal(err)
			}
		}
	}
	enter := func(mode uint64) { each(func(x *expiring) error { return x.enter(mode, waitForPrograms) }) }

	syscalls(unix.SYS_GETPPID, 1, 1)
	expect("at first", 1, 7, 3, 1)
	each(func(x *expiring) error {
		x.words.store(x.Expiry.ID, x.now()+(object.ExpireTicks+1)*object.ExpireTick)
		x.main.beside = true
		return nil
	})
	expect("old", 1, 7, 3, 1)
	enter(object.ExpireLate)
	expect("late", 0, 0, 0, 0)
	syscalls(unix.SYS_GETPPID, 1, 1)
	expect("late and updated", 1, 7, 3, 1)
	each(func(x *expiring) error { return x.locked(x.remove) })
	enter(object.ExpireDrain)
	expect("drained", 1, 7, 3, 1)
	syscalls(unix.SYS_GETPPID, 1, 1)
	expect("drained and updated", 2, 7, 6, 1)
	each(func(x *expiring) error { return x.locked(x.merge) })
	enter(0)
	expect("merged", 2, 7, 6, 1)
	for _, x := range tr.expirings {
		want, rows := map[string]uint64{"adds": 2, "sets": 7, "mixed": 6, "names": object.Word([]byte("abc\x00\x00\x00\x00\x00"), 0),
			"@long": 2, "@sizes": 200, "@mean": 12, "@min": object.Word(x.gone[0].Value, 0), "@cpu": 10}[x.Name], must(tr.Rows(x.Map))
		if len(rows) != 1 || object.Word(x.AppendStored(nil, rows[0].Value), 0) != want {
			t.Errorf("%s is %v at last, want %d", x.Name, rows, want)
		}
		if len(x.gone) != 1 || tr.Expired(x.Map) != 1 {
			t.Errorf("%d keys of %s have expired", len(x.gone), x.Name)
		}
		if n := len(must(x.main.late.elements.read(nil))); n > 0 {
			t.Errorf("%d bytes are left in the late hash of %s", n, x.Name)
		}
	}
	enter(object.ExpireLate)
	expect("late again, and not old", 2, 7, 6, 1)
	syscalls(unix.SYS_GETPPID, 1, 3)
	expect("deleted", 0, 0, 0, 0)
	syscalls(unix.SYS_GETPPID, 1, 1)
	syscalls(unix.SYS_GETPPID, 1, 3)
	expect("deleted from the late hash", 0, 0, 0, 0)
}

// A countedElements counts its readings.
type countedElements struct {
	elements
	n *int
}

func (c countedElements) read(data []byte) ([]byte, error) {
	*c.n++
	return c.elements.read(data)
}

// The map is read once also when it has fewer keys than before because some have expired.
// What comes back is found.
func TestReadingAfterExpiry(t *testing.T) {
	need.BPF(t)
	const keys = 300
	tr := start(t, expireAll(t, `tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ { @[data->args[0]] = count(); }`, 0), testOptions(t))
	x, reads := tr.expirings[0], 0
	x.main.elements = countedElements{x.main.elements, &reads}
	make := func(from, to uintptr) {
		for key := from; key < to; key++ {
			getppid(key)
		}
	}
	read := func(want int) {
		t.Helper()
		reads = 0
		if c := must(x.read()); c.Len != want || reads != 1 {
			t.Errorf("%d keys in %d readings, want %d in one", c.Len, reads, want)
		}
	}
	make(0, keys)
	read(keys)
	for _, step := range []struct{ gone, known int }{{20, keys}, {200, 100}} { // those that are a few are remembered
		for range object.ExpireTicks + 1 {
			if err := x.tick(waitForPrograms); err != nil {
				t.Fatal(err)
			}
			make(uintptr(step.gone), keys)
		}
		if n := x.main.known.Len(); n != step.known {
			t.Errorf("%d keys are known, want %d", n, step.known)
		}
		read(keys - step.gone)
		make(0, 10)
		read(keys - step.gone + 10)
		make(0, keys)
		read(keys)
	}
	if n := tr.Expired(x.Map); n != 220 {
		t.Errorf("%d keys have expired", n)
	}
}

// Between two steps all programs are waited for that may still do what the one before
// them allowed.
func TestStepsOfExpiry(t *testing.T) {
	need.BPF(t)
	tr := start(t, expireAll(t, `tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ { @[data->args[0]] = count(); }`, 0), testOptions(t))
	x := tr.expirings[0]
	syscalls(unix.SYS_GETPPID, 1, 1)
	x.words.store(x.Expiry.ID, x.now()+(object.ExpireTicks+1)*object.ExpireTick)
	type step struct{ mode, inMap, inLate, expired int }
	var steps []step
	note := func() error {
		stride := x.main.shape.stride()
		steps = append(steps, step{
			int(x.now() & object.ExpireMode), len(must(x.main.elements.read(nil))) / stride,
			len(must(x.main.late.elements.read(nil))) / stride, int(tr.Expired(x.Map)),
		})
		return waitForPrograms()
	}
	if err := x.sweep(func() error {
		syscalls(unix.SYS_GETPPID, 1, 2)
		return note()
	}); err != nil {
		t.Fatal(err)
	}
	if err := note(); err != nil {
		t.Fatal(err)
	}
	want := []step{{object.ExpireLate, 1, 1, 0}, {object.ExpireLate, 0, 1, 1}, {object.ExpireDrain, 1, 1, 1}, {0, 1, 0, 1}}
	if !slices.Equal(steps, want) {
		t.Errorf("the steps are %v, want %v", steps, want)
	}
	if got := counts(t, tr, x.Map, 0); !maps.Equal(got, map[uint64]uint64{2: 3}) {
		t.Errorf("the map has %v", got)
	}
}
