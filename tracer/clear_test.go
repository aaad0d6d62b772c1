package tracer

import (
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
