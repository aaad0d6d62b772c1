package bpfgen

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// Which keys make a map an array of slots: their bounds, or that it stays a hash.
func TestSlotsByKey(t *testing.T) {
	for _, row := range []struct{ script, want string }{
		{`kprobe:SyS_* { @[func] = count(); }`, "[512] -1 2"},
		{`kretprobe:SyS_read { @[func, retval < 0] = count(); }`, "[1 2] -1 2"},
		{`kprobe:SyS_read, kprobe:vfs_read { @[func] = count(); }`, ""}, // of a function it is an address
		{`kprobe:vfs_read { @[cpu] = count(); }`, "[2] 0 2"},
		{`kprobe:vfs_read { @[pid % 16, cpu] = count(); }`, "[16 2] 1 2"},
		{`kprobe:vfs_read { @[cpu, cpu] = count(); }`, "[2 2] 0 2"},
		{`kprobe:vfs_read { @[cpu] = count(); } kprobe:vfs_write { @[pid % 5] = count(); }`, "[5] -1 2"},
		{`kprobe:vfs_read { @[pid % 16] = count(); }`, "[16] -1 2"},
		{`kprobe:vfs_read { @[(s64)pid % 16] = count(); }`, ""}, // down to -15
		{`kprobe:vfs_read { @[pid & 15, !pid, pid == 1 && tid > 2] = count(); }`, "[16 2 2] -1 2"},
		{`kprobe:vfs_read { @[15 & (s64)pid] = count(); }`, "[16] -1 2"},
		{`kprobe:vfs_read { @[(s64)pid & -16] = count(); }`, ""},
		{`kprobe:vfs_read { @[pid ? 3 : pid & 1] = count(); }`, "[4] -1 2"},
		{`kprobe:vfs_read { @[pid ? 3 : pid] = count(); }`, ""},
		{`kprobe:vfs_read { @[(u8)pid] = count(); }`, "[256] -1 2"},
		{`kprobe:vfs_read { @[(s8)pid] = count(); }`, ""},
		{`kprobe:vfs_read { @[(s8)(pid & 255)] = count(); }`, ""}, // 255 is -1
		{`kprobe:vfs_read { @[(s16)(pid & 255)] = count(); }`, "[256] -1 2"},
		{`kprobe:vfs_read { @[pid] = count(); }`, ""},
		{`kprobe:vfs_read { @[3] = count(); }`, ""},
		{`kprobe:vfs_read { @[comm, cpu] = count(); }`, ""},
		{`kprobe:vfs_read { @[pid % 20000] = count(); }`, ""}, // more keys than a map has
		{`kprobe:vfs_read { @[pid % 10240] = sum(tid); }`, "[10240] -1 2"},
		{`kprobe:vfs_read { @[pid % 10240, tid % 10240] = count(); }`, ""},
		{`kprobe:vfs_read { @[cpu] = count(); delete @[cpu]; }`, ""},
		{`kprobe:vfs_read { @[cpu] = count(); clear(@); }`, ""},
		{`kprobe:vfs_read { @[cpu] = count(); @a[cpu] = count(); clear(@a); print(@); }`, "[2] 0 2"},
		{`kprobe:vfs_read { x = cpu; @[x] = count(); }`, ""},
		{`kprobe:vfs_read { @[cpu] = pid; }`, "[2] 0 2"},
		{`kprobe:vfs_read { @[pid % 16] = pid; }`, "[16] -1 1"}, // a table is one for all CPUs
		{`kprobe:vfs_read { @[cpu] = comm; }`, ""},
		{`kprobe:vfs_read { @[cpu] = pid; } kprobe:vfs_write { @[0] = 0; }`, ""},
		{`kprobe:vfs_read { @[cpu] = pid; } kprobe:vfs_write { delete @[cpu]; }`, ""},
	} {
		m := compile(t, recorded(t, "7.3-amd64"), row.script, Options{Run: true}).Maps[0]
		got := ""
		if s := m.Slots; s != nil {
			got = fmt.Sprint(s.Bounds, " ", s.CPUPart, " ", s.Regions)
		}
		if got != row.want || (m.Storage == object.Array) != (got != "") {
			t.Errorf("%s: slots %q, want %q", row.script, got, row.want)
		}
	}
}

// Options of the map, and the number of CPUs.
func TestSlotsByOptions(t *testing.T) {
	for _, row := range []struct {
		script string
		opt    MapOptions
		cpus   int
		want   string
	}{
		{"count()", MapOptions{}, 256, "[512] 256"},
		{"sum(pid)", MapOptions{}, 256, "[512] 1"}, // a value for each CPU would be 3 MiB
		{"max(pid)", MapOptions{}, 256, "[512] 256"},
		{"count()", MapOptions{MaxEntries: 512}, 2, "[512] 2"},
		{"count()", MapOptions{MaxEntries: 511}, 2, ""},
		{"count()", MapOptions{Evict: true}, 2, ""},
	} {
		k := recorded(t, "6.18-amd64")
		k.AssumeCPUs(row.cpus)
		m := compile(t, k, "kprobe:SyS_* { @[func] = "+row.script+"; }", Options{Maps: map[string]MapOptions{"@": row.opt}}).Maps[0]
		got := ""
		if s := m.Slots; s != nil {
			got = fmt.Sprint(s.Bounds, " ", s.Regions)
		}
		if got != row.want || m.Slots != nil && m.Room != 512 {
			t.Errorf("%s with %+v on %d CPUs: %q, want %q", row.script, row.opt, row.cpus, got, row.want)
		}
	}
}

// Every aggregation in slots, and that only keys are there which were updated.
func TestSlots(t *testing.T) {
	need.EachArch(t)
	const script = `BEGIN {
		unroll (6) {
			i++;
			@count[i & 7] = count(); @two[i & 3, i > 3] = count(); @cpu[(u64)i % 5, cpu < 4096, cpu] = count();
			@sum[i & 7] = sum((s64)i - 3); @avg[i & 7] = avg(i); @q[i & 1] = quantize(i);
			@max[i & 7] = max((s64)0 - i); @min[i & 7] = min((s64)0 - i);
		}
		@zero[pid & 0] = sum(0); @least[pid & 0] = max((s64)-1 << 63); @u[pid & 1] = min((u64)-1);
	}`
	l := begin(t, script)
	for _, name := range []string{"@count", "@two", "@cpu", "@sum", "@avg", "@q", "@max", "@min", "@zero", "@least", "@u"} {
		if m := l.mapNamed(name); m.Storage != object.Array {
			t.Errorf("%s is stored as %v", name, m.Storage)
		}
	}
	want := `@avg 1: 1 2: 2 3: 3 4: 4 5: 5 6: 6 | @count 1: 1 2: 1 3: 1 4: 1 5: 1 6: 1 | @least 0: -9223372036854775808 | ` +
		`@max 1: -1 2: -2 3: -3 4: -4 5: -5 6: -6 | @min 1: -1 2: -2 3: -3 4: -4 5: -5 6: -6 | @q 0: 12 1: 9 | ` +
		`@sum 1: -2 2: -1 3: 0 4: 1 5: 2 6: 3 | @two 0,1: 1 1,0: 1 1,1: 1 2,0: 1 2,1: 1 3,0: 1 | ` + `@zero 0: 0`
	if got := l.slots("@avg", "@count", "@least", "@max", "@min", "@q", "@sum", "@two", "@zero"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// Which CPU it ran on is not known, nor whether the process ID is odd.
	if got := strings.Count(l.slots("@cpu"), ":"); got != 5 {
		t.Errorf("@cpu has %d keys, want 5: %s", got, l.slots("@cpu"))
	}
	if got := l.slots("@u"); !strings.HasSuffix(got, ": -1") || strings.Count(got, ":") != 1 {
		t.Errorf("the largest number as a minimum: %s", got)
	}
}

// slots are the keys and numbers of maps of slots.
func (l *loaded) slots(names ...string) string {
	l.t.Helper()
	var all []string
	for _, name := range names {
		m := l.mapNamed(name)
		memory := make([]byte, m.SlotsSize())
		if err := l.coll.Maps[m.SpecName].Lookup(uint32(0), &memory); err != nil {
			l.t.Fatal(err)
		}
		var keys []string
		m.EachSlot(func(i int) uint64 { return object.Word(memory, i) }, func(mark uint64, key, value []byte) {
			if m.Written(mark, value) {
				keys = append(keys, fmt.Sprint(keyText(m, key), ": ", l.number(name, value)))
			}
		})
		slices.Sort(keys)
		all = append(all, name+" "+strings.Join(keys, " "))
	}
	return strings.Join(all, " | ")
}

func keyText(m *object.Map, key []byte) string {
	var parts []string
	for _, v := range m.Split(key) {
		parts = append(parts, fmt.Sprint(v.Int()))
	}
	return strings.Join(parts, ",")
}
