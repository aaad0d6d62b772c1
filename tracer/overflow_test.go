package tracer

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// compileOther is compile with few keys in each map, and a value of its other keys.
func compileOther(t testing.TB, script string, keys int, names ...string) *object.Object {
	t.Helper()
	need.BPF(t)
	opt := bpfgen.Options{Maps: map[string]bpfgen.MapOptions{}}
	for _, name := range names {
		opt.Maps[name] = bpfgen.MapOptions{MaxEntries: keys, Other: true}
	}
	numbers := strings.NewReplacer("GETPPID", fmt.Sprint(unix.SYS_GETPPID), "GETPGID", fmt.Sprint(unix.SYS_GETPGID), "PID", fmt.Sprint(os.Getpid()))
	obj, err := bpfgen.Build(&plylang.Source{Text: numbers.Replace(script)}, runningKernel(t), opt, nil)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	return obj
}

// all joins the values of all keys of a map and of its other keys.
func all(t *testing.T, tr *Tracer, m *object.Map) (keys int, r object.Reading) {
	t.Helper()
	c, err := tr.Contents(m)
	if err != nil {
		t.Fatal(err)
	}
	value := m.Nothing()
	if c.Other != nil {
		value = c.Other
	}
	for row := range c.Rows {
		value = m.AppendJoined(nil, value, row.Value)
	}
	return c.Len, m.Read(value)
}

// Events of 1,024 keys that threads on all CPUs make while others read are all in a
// hundred keys and the value of the others, whatever adds them up, and whether CPUs
// share the values of keys or not.
func TestExactOverflow(t *testing.T) {
	need.OldAndNew(t)
	for storage, cpus := range map[object.Storage]int{object.PerCPUHash: 0, object.SharedHash: 8192} {
		t.Run(fmt.Sprint(storage), func(t *testing.T) {
			runningKernel(t).AssumeCPUs(cpus)
			defer runningKernel(t).AssumeCPUs(0)
			checkExactOverflow(t, storage)
		})
	}
}

func checkExactOverflow(t *testing.T, storage object.Storage) {
	const keys, events = 100, 1 << 19
	key := "[(data->args[0] & 31) << 5 | time >> 10 & 31]"
	tr := start(t, compileOther(t, `tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ {
		@n`+key+` = count(); @sum`+key+` = sum(data->args[0]); @mean`+key+` = avg(data->args[0]);
		@sizes`+key+` = quantize(data->args[0]); @wide`+key+` = sum(1 << 50);
		@most`+key+` = max(data->args[0]); @least`+key+` = min(data->args[0]);
	}`, keys, "@n", "@sum", "@mean", "@sizes", "@wide", "@most", "@least"), testOptions(t))
	var stop atomic.Bool
	done := make(chan bool)
	go func() { readLoop(t, tr, &stop); close(done) }()
	workload(t, events)
	stop.Store(true)
	<-done
	const sum = events / 64 * (63 * 64 / 2)
	for i, want := range []struct {
		sum   string
		count uint64
	}{{fmt.Sprint(events), 0}, {fmt.Sprint(sum), 0}, {fmt.Sprint(sum), events}, {fmt.Sprint(sum), events}, {"590295810358705651712", 0}, {"63", 0}, {"0", 0}} {
		m := tr.obj.Maps[i]
		n, r := all(t, tr, m)
		if n != keys || r.Number.String() != want.sum || r.Count != want.count || tr.Dropped(m) != 0 {
			t.Errorf("%s: %d keys, %s in %d events, %d refused; want %d, %s in %d", m.Name, n, r.Number, r.Count, tr.Dropped(m), keys, want.sum, want.count)
		}
	}
	m := tr.obj.Maps[0]
	c, err := tr.Contents(m)
	if err != nil || tr.Overflowed(m) != object.Word(c.Other, 0) || m.Storage != storage {
		t.Errorf("%d updates of a map of storage %d found no room, of which %d were counted (%v)", tr.Overflowed(m), m.Storage, object.Word(c.Other, 0), err)
	}
}

// What is in the value of other keys belongs to the generation of its map, and a key
// that is deleted makes room for the next one.
func TestOverflowOfClearsAndDeletes(t *testing.T) {
	tr := start(t, compileOther(t, `tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ {
		@cleared[data->args[0]] = quantize(1); @deleted[data->args[0]] = count(); @sum[data->args[0]] = sum(0);
	}
	tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPGID/ { clear(@cleared); delete @deleted[0]; }`,
		4, "@cleared", "@deleted", "@sum"), testOptions(t))
	cleared, deleted, sum := tr.obj.Maps[0], tr.obj.Maps[1], tr.obj.Maps[2]
	check := func(what string, m *object.Map, keys int, other int64, found uint64) {
		t.Helper()
		c, err := tr.Contents(m)
		if err != nil {
			t.Fatal(err)
		}
		got := int64(-1)
		if c.Other != nil {
			got = int64(object.Word(c.Other, 0))
		}
		if c.Len != keys || got != other || tr.Overflowed(m) != found {
			t.Errorf("%s: %s has %d keys, others have %d, %d found no room; want %d, %d and %d", what, m.Name, c.Len, got, tr.Overflowed(m), keys, other, found)
		}
	}
	for key := range uintptr(4) {
		syscalls(unix.SYS_GETPPID, 10, key)
	}
	check("full", cleared, 4, -1, 0)
	check("full", sum, 4, -1, 0)
	for key := range uintptr(6) {
		syscalls(unix.SYS_GETPPID, 10, key)
	}
	check("two more", cleared, 4, 20, 20)
	check("two more", deleted, 4, 20, 20)
	check("two more", sum, 4, 0, 20)
	for round := range uint64(2 * object.Generations) {
		syscalls(unix.SYS_GETPGID, 1, 0)
		eventually(t, "the map is cleared", func() bool { return tr.clearings[cleared.ID].state().Number() == round+1 })
		check("cleared", cleared, 0, -1, 20+10*round)
		for key := range uintptr(5) {
			syscalls(unix.SYS_GETPPID, 10, 10+key)
		}
		check("again", cleared, 4, 10, 30+10*round)
	}
	check("deleted", deleted, 4, 20+40*2*object.Generations, 20+40*2*object.Generations)
}
