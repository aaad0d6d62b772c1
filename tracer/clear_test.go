package tracer

import (
	"reflect"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// cleared is when what is in a map began to gather.
func cleared(t *testing.T, tr *Tracer, m *object.Map) time.Time {
	t.Helper()
	c, err := tr.Contents(m)
	if err != nil {
		t.Fatal(err)
	}
	return c.Cleared
}

// A map says since when it gathers what it shows.
func TestContentsSayWhenTheMapWasCleared(t *testing.T) {
	need.BPF(t)
	tr := start(t, compile(t, `
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ { @[1] = count(); @n = count(); }
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID && data->args[0] == 1/ { clear(@); clear(@n); }`), testOptions(t))
	syscalls(unix.SYS_GETPPID, 1, 0)
	for _, m := range tr.obj.Maps {
		if at := cleared(t, tr, m); !at.IsZero() {
			t.Errorf("%s was cleared at %v, before any clear()", m.Name, at)
		}
	}
	before := time.Now()
	syscalls(unix.SYS_GETPPID, 1, 1)
	for _, m := range tr.obj.Maps {
		waitCleared(t, tr, m, before)
		if at := cleared(t, tr, m); at.After(time.Now()) || cleared(t, tr, m) != at {
			t.Errorf("%s was cleared at %v, and then at %v", m.Name, at, cleared(t, tr, m))
		}
	}
}

// waitCleared returns when a map shows what it gathered since a clear() after
// before.
func waitCleared(t *testing.T, tr *Tracer, m *object.Map, before time.Time) {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); !cleared(t, tr, m).After(before); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%s was not cleared", m.Name)
		}
	}
}

// rowsOf are the first words of a map's values by the first word of their key.
func rowsOf(m *object.Map, rows []Row) map[uint64]uint64 {
	out := map[uint64]uint64{}
	for _, r := range rows {
		key := uint64(0)
		if r.Key != nil {
			key = object.Word(r.Key, 0)
		}
		out[key] = object.Word(r.Value, 0)
	}
	return out
}

// What is stored after clear() stays, in maps of every kind: in the same firing,
// and in later ones, however often the map is cleared.
func TestClearKeepsWhatFollows(t *testing.T) {
	need.EachArch(t)
	tr := start(t, compile(t, `
		BEGIN {
			@count[1] = count(); @cell = count(); t[1] = 5; @q = quantize(3); @hist[1] = quantize(3); @text = "before"; @n = 9; @gone = 9; name[1] = comm;
			clear(@count); clear(@cell); clear(t); clear(@q); clear(@hist); clear(@text); clear(@n); clear(@gone); clear(name);
			@count[2] = count(); @cell = count(); t[2] = 6; @q = quantize(4); @hist[2] = quantize(4); @text = "after"; @n = 1;
		}
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ {
			clear(@count); @count[data->args[0]] = count(); clear(@cell); @cell = count(); clear(t); t[data->args[0]] = 7;
		}`), testOptions(t))
	want := func(name string, want map[uint64]uint64) {
		t.Helper()
		for _, m := range tr.obj.Maps {
			if got := counts(t, tr, m, 0); m.Name == name && !reflect.DeepEqual(got, want) {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
	}
	want("@count", map[uint64]uint64{2: 1})
	want("@cell", map[uint64]uint64{0: 1})
	want("t", map[uint64]uint64{2: 6})
	want("@q", map[uint64]uint64{0: 4})
	want("@hist", map[uint64]uint64{2: 4})
	want("@text", map[uint64]uint64{0: 0x7265746661})
	want("@n", map[uint64]uint64{0: 1})
	want("@gone", map[uint64]uint64{})
	want("name", map[uint64]uint64{})
	for i := range uintptr(20) {
		syscalls(unix.SYS_GETPPID, 1, i)
		want("@count", map[uint64]uint64{uint64(i): 1})
		want("@cell", map[uint64]uint64{0: 1})
		want("t", map[uint64]uint64{uint64(i): 7})
		eventually(t, "the old generation is empty", func() bool { return tr.settled() })
	}
}

// settled says whether every generation that has ended is empty again.
func (t *Tracer) settled() bool {
	for _, c := range t.clearings {
		if c != nil && (c.words.load(c.ClearLimitWord()) != c.state().Number()+object.Generations-1 || c.state().Waiting()) {
			return false
		}
	}
	return true
}
