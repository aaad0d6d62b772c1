package bpfgen

import (
	"strings"
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/live"
	"ply-exporter/plylang"
)

func TestStatements(t *testing.T) {
	l := begin(t, `BEGIN {
		x = 5; never = unset_;
		if (x == 5) { @[1] = 10; } else { @[1] = 20; }
		if (x != 5) { @[2] = 10; } else if (x > 4) { @[2] = 30; } else { @[2] = 20; }
		if (x) @[3] = 1;
		unroll (4) { @[4]++; if (@[4] == 3) break; }
		unroll (3) { i++; if (i == 2) continue; @[5] += i; }
		@[6] = 1; @[6] += 5; @[6] -= 2; @[6] *= 7; @[6]--; @[6] /= 2; @[6] <<= 2; @[6] %= 10; @[6] |= 8; @[6] ^= 3; @[6] &= 11; @[6] >>= 1;
		y = 1; y += 5; y -= 2; y *= 7; y--; y /= 2; y <<= 2; y %= 10; y |= 8; y ^= 3; y &= 11; y >>= 1; @[7] = y;
		@[8] = 1; delete @[8];
		@[9] = 1; @[9] = nil;
		@cell = 4; @cell += 3; @gone = 1; delete @gone;
		@[10] = @[77]; @[11] = @[1] + @[2] * 2;
		@[12] = unset_;
		unset_ = 3;
	}
	BEGIN / 0 + @[1] == 10 / { @[20] = 1; return; @[20] = 2; }
	BEGIN / @[1] != 10 / { @[21] = 1; }
	BEGIN { exit(3); @[22] = 1; }
	BEGIN { @[23] = 1; }`)
	for _, r := range []struct{ key, want int64 }{
		{1, 10}, {2, 30}, {3, 1}, {4, 3}, {5, 4}, {6, 4}, {7, 4}, {8, 0}, {9, 0}, {10, 0}, {11, 70}, {12, 0},
		{20, 1}, {21, 0}, {22, 0}, {23, 0},
	} {
		if got := l.word("@", r.key); got != r.want {
			t.Errorf("@[%d] is %d, want %d", r.key, got, r.want)
		}
	}
	if got := l.word("@cell"); got != 7 {
		t.Errorf("@cell is %d, want 7", got)
	}
	if l.value("@gone") != nil {
		t.Error("@gone still has a cell")
	}
	if l.value("@", 8) != nil {
		t.Error("@[8] was not deleted")
	}
	if got := l.state(1 + len(l.obj.Maps)); got != 1+3 {
		t.Errorf("exit(3) left %d in the state map", got)
	}
}

// state returns a word of the state map.
func (l *loaded) state(word int) uint64 {
	l.t.Helper()
	var value []byte
	if err := l.coll.Maps[object.StateMap].Lookup(uint32(0), &value); err != nil {
		l.t.Fatal(err)
	}
	return object.Word(value, word)
}

func paddedText(s string, size int) []byte {
	return append([]byte(s), make([]byte, size-len(s))...)
}

func TestStringsInMaps(t *testing.T) {
	l := begin(t, `BEGIN {
		s = "abc";
		@v[1] = s; @v[2] = "a longer text than that"; @v[3] = @v[1]; @v[4] = @v[99]; @v[5] = s == "abc" ? comm : s;
		@k["x", 1] = 5; @k["a longer text", 2] = 6; @k[s, 3] = 7; @k[comm, 4] = 8;
		@cell = comm; @copy = @cell;
		@n[strlen(@v[2])] = count(); @n[strlen(@v[3])] = count(); @n[@v[4] == ""] = count();
		s = s ? "z" : s; @v[6] = s;
		loop = "first"; loop = loop == "first" ? "second" : "third"; @v[7] = loop;
	}`)
	for _, r := range []struct {
		key  int64
		want string
	}{{1, "abc"}, {2, "a longer text than that"}, {3, "abc"}, {4, ""}, {5, "bpfgen.test"}, {6, "z"}, {7, "second"}} {
		if got := l.value("@v", r.key); strings.TrimRight(string(got), "\x00") != r.want {
			t.Errorf("@v[%d] is %q, want %q", r.key, got, r.want)
		}
	}
	k := l.mapNamed("@k")
	for i, s := range []string{"x", "a longer text", "abc", "bpfgen.test"} {
		key := append(paddedText(s, k.KeySize-8), numbers(int64(i+1))...)
		if v := l.read(k, key); v == nil || object.Word(v, 0) != uint64(5+i) {
			t.Errorf("@k[%q, %d] is %v, want %d", s, i+1, v, 5+i)
		}
	}
	if got := l.value("@copy"); strings.TrimRight(string(got), "\x00") != "bpfgen.test" {
		t.Errorf("@copy is %q", got)
	}
	if l.word("@n", 23) != 1 || l.word("@n", 3) != 1 || l.word("@n", 1) != 1 {
		t.Error("the texts read back have wrong lengths")
	}
}

// What is assigned may be computed from what the variable holds: nothing of that
// is lost before it is read.
func TestAssignedFromItself(t *testing.T) {
	l := begin(t, `BEGIN {
		p = curtask->nsproxy; // its second word is an address, not 0
		y = mem(p, 12); x = mem(p, 12); x = mem(x == y ? p : 0, 12); @[1] = x == y;
		s = str(p, 12); t = s; t = str(t == s ? p : 0, 12); @[2] = t == s;
		s = comm; s = str(s == comm ? 0 : p, 12); @[3] = s == "";
		s = comm; s = str(s, s == comm ? 3 : 1); @[4] = strlen(s);
		u = mem(p, 16); v = u; v = mem(v == u ? p : 0, 16); @[5] = v == u;
	}`)
	for _, r := range []struct{ key, want int64 }{{1, 1}, {2, 1}, {3, 1}, {4, 3}, {5, 1}} {
		if got := l.word("@", r.key); got != r.want {
			t.Errorf("@[%d] is %d, want %d", r.key, got, r.want)
		}
	}
}

func TestDisplays(t *testing.T) {
	l := begin(t, `BEGIN {
		x = 0x0100007f;
		@ip[ntop(x)] = count(); @six[ntop(mem(0, 16))] = count(); @bytes[mem(0, 5)] = count();
		@names[errno(2), signal(9), syscall(1), dev(5), username(uid), ksym(curtask), pci(1 << 16 | 2), pciclass(0x200)] = count();
		@stacks[kstack] = count(); @stacks[stack] = count(); @users[ustack] = count();
	}`)
	if l.word("@ip", 0x0100007f) != 1 || l.word("@six", 0, 0) != 1 || l.word("@bytes", 0) != 1 {
		t.Error("an address or bytes do not come out as they are")
	}
	for i, want := range []*plylang.Display{plylang.DisplayErrno, plylang.DisplaySignal, plylang.DisplaySyscall, plylang.DisplayDevice, plylang.DisplayUser, plylang.DisplaySymbol, plylang.DisplayPCI, plylang.DisplayPCIClass} {
		if got := l.mapNamed("@names").Key[i].Type.Display; got != want {
			t.Errorf("key %d is shown as %q, want %q", i, got, want)
		}
	}
	var key, trace []byte
	if err := l.coll.Maps[l.mapNamed("@stacks").SpecName].NextKey(nil, &key); err != nil {
		t.Fatal(err)
	}
	if err := l.coll.Maps[object.StackMap].Lookup(key, &trace); err != nil || object.Word(trace, 0) == 0 {
		t.Errorf("stack %v is %v, %v", key, trace[:min(8, len(trace))], err)
	}
}

// A script whose values do not fit the stack uses scratch memory.
func TestScratchMemory(t *testing.T) {
	l := begin(t, `BEGIN {
		a = str(0, 400); b = str(0, 500); c = "some text that is longer than a few words";
		@x[a, c] = count(); @x[a, c] = count();
		@y[c] = b; @z[1] = a == b; @z[2] = strlen(c);
		@h[a, c] = quantize(5); @h[a, c] = quantize(9);
	}`)
	key := append(make([]byte, 400), paddedText("some text that is longer than a few words", 48)...)
	if v := l.read(l.mapNamed("@x"), key); v == nil || object.Word(v, 0) != 2 {
		t.Errorf("@x is %v, want 2", v)
	}
	if l.word("@z", 1) != 1 || l.word("@z", 2) != 41 {
		t.Error("wrong values from scratch memory")
	}
}

func TestEvents(t *testing.T) {
	o := compile(t, live.Kernel(t), `BEGIN {
		@m[1] = count();
		print(1, comm, @m); printf("%d %s\n", 7, "x"); print(@m); clear(@m); exit(4);
	}`, Options{})
	l := load(t, o)
	ring := newRing(t, l.coll.Maps[object.RingMap])
	l.run(o.Programs[0].Name)
	var got []string
	for range 6 {
		record := ring.next()
		e := o.Events[object.Word(record, 0)]
		if len(record) < e.Size {
			t.Fatalf("a record has %d bytes, want %d", len(record), e.Size)
		}
		got = append(got, describeEvent(e, record))
	}
	want := "map @m; print 1 bpfgen.test; printf 7 x; map @m; clear @m; exit"
	if s := strings.Join(got, "; "); s != want {
		t.Errorf("events are %s, want %s", s, want)
	}
}

func describeEvent(e *object.Event, record []byte) string {
	s := map[object.EventKind]string{object.EventPrint: "print", object.EventPrintf: "printf", object.EventPrintMap: "map", object.EventClear: "clear", object.EventExit: "exit"}[e.Kind]
	if e.Map != nil {
		s += " " + e.Map.Name
	}
	for _, v := range e.Split(record) {
		if v.Type.Kind == plylang.String {
			s += " " + strings.TrimRight(string(v.Raw), "\x00")
		} else {
			s += " " + string(rune('0'+v.Int()))
		}
	}
	return s
}

// A full map refuses new keys of an aggregation and counts that; a table
// forgets its oldest keys.
func TestFullMaps(t *testing.T) {
	script := "BEGIN {\n"
	for i := range 6 {
		n := string(rune('0' + i))
		script += "@c[" + n + "] = count(); @e[" + n + "] = count();\n"
	}
	l := beginWith(t, script+"}", Options{MaxEntries: 4, Maps: map[string]MapOptions{"@e": {Evict: true}}})
	if got := l.state(1 + l.mapNamed("@c").ID); got != 2 {
		t.Errorf("%d updates of @c are counted as refused, want 2", got)
	}
	if got := l.state(1 + l.mapNamed("@e").ID); got != 0 {
		t.Errorf("%d updates of @e are counted as refused, want none", got)
	}
	if l.mapNamed("@e").Storage != object.LRUHash {
		t.Error("@e does not evict")
	}
}
