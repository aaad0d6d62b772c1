package tracer

import (
	"sync"
	"sync/atomic"
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// Maps of slots count exactly, by all CPUs, beside a reader in a loop, and are read
// without a program.
func TestExactSlots(t *testing.T) {
	need.EachArch(t)
	events := exactEvents / 8
	obj := compile(t, `tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ {
		@one[pid & 0] = count(); @cpus[cpu] = count(); @sum[tid & 3, cpu] = sum(2); @q[tid & 1] = quantize(3); @most[pid & 0] = max(pid & 0);
	}`)
	tr := start(t, obj, testOptions(t))
	for _, m := range obj.Maps {
		if m.Storage != object.Array || tr.maps[m.ID].elements != nil {
			t.Errorf("%s is not in slots", m.Name)
		}
	}
	var stop atomic.Bool
	var wait sync.WaitGroup
	wait.Go(func() {
		for last := uint64(0); !stop.Load(); {
			n := slotTotal(t, tr, obj.Maps[0])
			if n < last {
				t.Errorf("%d events after %d", n, last)
			}
			last = n
		}
	})
	workload(t, events)
	stop.Store(true)
	wait.Wait()
	for i, want := range []uint64{events, events, 2 * events, 3 * events, 0} {
		if n := slotTotal(t, tr, obj.Maps[i]); n != want {
			t.Errorf("%s comes to %d, want %d", obj.Maps[i].Name, n, want)
		}
		if n := tr.Dropped(obj.Maps[i]); n != 0 {
			t.Errorf("%s refused %d updates", obj.Maps[i].Name, n)
		}
	}
	if n := len(counts(t, tr, obj.Maps[4], 0)); n != 1 {
		t.Errorf("%d keys whose maximum is 0, want 1", n)
	}
}

// slotTotal adds up the numbers of all keys.
func slotTotal(t *testing.T, tr *Tracer, m *object.Map) (n uint64) {
	t.Helper()
	c, err := tr.Contents(m)
	if err != nil {
		t.Error(err)
		return 0
	}
	for row := range c.Rows {
		reading := m.Read(row.Value)
		n += reading.Number.Bits
	}
	return n
}
