package bpfgen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/live"
	archive "ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

// recorded returns a kernel to compile for on any machine.
func recorded(t testing.TB, name string) *kernel.Kernel {
	t.Helper()
	k, err := kernel.Open(archive.Files(name))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Rows run as BEGIN: the program is loaded and run once, without attaching.

// compile compiles a script for "run" and fails the test with its errors.
func compile(t testing.TB, k *kernel.Kernel, script string, opt Options) *object.Object {
	t.Helper()
	o, err := build(k, script, opt)
	if err != nil {
		t.Fatalf("%s\n%s", script, plylang.Detail(err))
	}
	return o
}

func build(k *kernel.Kernel, script string, opt Options) (*object.Object, error) {
	opt.Run = true
	return Build(&plylang.Source{Text: script}, k, opt, nil)
}

// loaded is a script that ran in the kernel.
type loaded struct {
	t    testing.TB
	obj  *object.Object
	coll *ebpf.Collection
}

// begin runs the BEGIN clauses of a script.
func begin(t testing.TB, script string) *loaded {
	t.Helper()
	return beginWith(t, script, Options{})
}

func beginWith(t testing.TB, script string, opt Options) *loaded {
	t.Helper()
	l := load(t, compile(t, live.Kernel(t), script, opt))
	for _, p := range l.obj.Programs {
		if p.Attach == object.AttachBegin {
			l.run(p.Name)
		}
	}
	return l
}

// load loads the programs of o for the time of the test.
func load(t testing.TB, o *object.Object) *loaded {
	t.Helper()
	coll, err := ebpf.NewCollection(o.Spec)
	if err != nil {
		var verifier *ebpf.VerifierError
		if errors.As(err, &verifier) {
			t.Fatalf("%+v", verifier)
		}
		t.Fatal(err)
	}
	t.Cleanup(coll.Close)
	if m := coll.Maps[object.ClockMap]; m != nil {
		setClock(t, m)
	}
	return &loaded{t, o, coll}
}

// setClock says how far the time of day is ahead, as tracer does.
func setClock(t testing.TB, m *ebpf.Map) {
	t.Helper()
	var monotonic unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic); err != nil {
		t.Fatal(err)
	}
	if err := m.Put(uint32(0), uint64(time.Now().UnixNano()-monotonic.Nano())); err != nil {
		t.Fatal(err)
	}
}

// run runs a program once.
func (l *loaded) run(name string) {
	l.t.Helper()
	if _, err := l.coll.Programs[name].Run(&ebpf.RunOptions{}); err != nil {
		l.t.Fatalf("running %s: %v", name, err)
	}
}

// value returns the value of a map at a key of numbers, reduced over the CPUs,
// nil when there is none.
func (l *loaded) value(name string, key ...int64) []byte {
	l.t.Helper()
	return l.read(l.mapNamed(name), numbers(key...))
}

func (l *loaded) mapNamed(name string) *object.Map {
	l.t.Helper()
	for _, m := range l.obj.Maps {
		if m.Name == name {
			return m
		}
	}
	l.t.Fatalf("there is no map %s", name)
	return nil
}

func numbers(key ...int64) []byte {
	var b []byte
	for _, k := range key {
		b = binary.LittleEndian.AppendUint64(b, uint64(k))
	}
	return b
}

func (l *loaded) read(m *object.Map, key []byte) []byte {
	l.t.Helper()
	from := l.coll.Maps[m.SpecName]
	place := l.place(m)
	if m.Storage == object.Cell {
		memory := make([]byte, from.ValueSize())
		if err := from.Lookup(uint32(0), &memory); err != nil {
			l.t.Fatal(err)
		}
		memory = memory[place*m.CellSize():]
		mark, value, _ := m.Cell(func(i int) uint64 { return object.Word(memory, i) })
		if !m.Written(mark, value) {
			return nil
		}
		return value
	}
	if m.Storage == object.Array {
		return l.readSlot(m, key)
	}
	if m.Cleared() {
		from = l.coll.Maps[m.GenerationName(place)]
	}
	if m.Storage != object.PerCPUHash {
		value := make([]byte, m.Size)
		if from.Lookup(key, &value) != nil {
			return nil
		}
		return value
	}
	var values [][]byte
	if from.Lookup(key, &values) != nil {
		return nil
	}
	out := make([]byte, m.Size)
	for _, v := range values {
		m.Reduce.Join(out, v)
	}
	return out
}

// readSlot reads a key of a map of slots.
func (l *loaded) readSlot(m *object.Map, wanted []byte) (found []byte) {
	l.t.Helper()
	memory := make([]byte, m.SlotsSize())
	if err := l.coll.Maps[m.SpecName].Lookup(uint32(0), &memory); err != nil {
		l.t.Fatal(err)
	}
	m.EachSlot(func(i int) uint64 { return object.Word(memory, i) }, func(mark uint64, key, value []byte) {
		if bytes.Equal(key, wanted) && m.Written(mark, value) {
			found = bytes.Clone(value)
		}
	})
	return found
}

// place is where the current generation of a map is, 0 of one that is not
// cleared.
func (l *loaded) place(m *object.Map) int {
	l.t.Helper()
	if !m.Cleared() {
		return 0
	}
	words := make([]byte, l.coll.Maps[object.ClearMap].ValueSize())
	if err := l.coll.Maps[object.ClearMap].Lookup(uint32(0), &words); err != nil {
		l.t.Fatal(err)
	}
	return object.Place(object.ClearState(object.Word(words, m.ClearStateWord())).Number())
}

// number returns the number that a value of a map is.
func (l *loaded) number(name string, value []byte) int64 {
	l.t.Helper()
	return l.mapNamed(name).Read(value).Number.Int()
}

// word returns the first word of a map's value.
func (l *loaded) word(name string, key ...int64) int64 {
	l.t.Helper()
	v := l.value(name, key...)
	if v == nil {
		return 0
	}
	return int64(object.Word(v, 0))
}

func TestCount(t *testing.T) {
	l := begin(t, `BEGIN { @[1] = count(); @[1] = count(); @ever.count() }`)
	if got := l.word("@", 1); got != 2 {
		t.Errorf("@[1] is %d, want 2", got)
	}
	if got := l.word("@ever"); got != 1 {
		t.Errorf("@ever is %d, want 1", got)
	}
}
