package property

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
	"ply-exporter/tracer/decode"
)

// compile compiles a script with room for the few keys that it has.
func compile(k *kernel.Kernel, script string) (*object.Object, error) {
	opt := bpfgen.Options{Run: true, MaxEntries: 256}
	return bpfgen.Build(&plylang.Source{File: "script", Text: script}, k, opt, parameters)
}

// parameters gives scripts the thread that runs them as $1.
func parameters(name string) (string, bool) {
	return fmt.Sprint(unix.Gettid()), strings.TrimPrefix(name, "$") == "1"
}

// An observer runs a compiled script and returns what is in its maps, as
// evaluateBegin does.
type observer func(k *kernel.Kernel, obj *object.Object) ([]string, error)

// observeTraced runs a script as everybody does.
func observeTraced(k *kernel.Kernel, obj *object.Object) ([]string, error) {
	return observeWhile(k, obj, func() {})
}

// observeWhile does it while the script runs.
func observeWhile(k *kernel.Kernel, obj *object.Object, do func()) ([]string, error) {
	var lines, printed []string
	opt := tracer.Options{Kernel: k, Log: slog.New(slog.DiscardHandler), OnEvent: func(e *object.Event, record []byte) {
		printed = appendPrinted(printed, e, record)
	}}
	t, err := tracer.Start(obj, opt)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	do()
	if err := t.Stop(); err != nil { // then all that was printed has come
		return nil, err
	}
	for _, m := range obj.Maps {
		rows, err := t.Rows(m)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			lines = append(lines, renderLine(obj, m, r.Key, r.Value))
		}
		if n := t.Dropped(m); n > 0 {
			lines = append(lines, fmt.Sprintf("%s: %d updates refused", m.Name, n))
		}
	}
	lines = append(lines, printed...)
	sort.Strings(lines)
	return lines, nil
}

// observeLoaded runs a script without the tracer, whose programs that read
// maps take a guest longer to load than the script.
func observeLoaded(_ *kernel.Kernel, obj *object.Object) ([]string, error) {
	coll, err := ebpf.NewCollection(obj.Spec)
	if err != nil {
		return nil, err
	}
	defer coll.Close()
	for _, p := range obj.Programs {
		if _, err := coll.Programs[p.Name].Run(&ebpf.RunOptions{}); err != nil {
			return nil, err
		}
	}
	lines, err := readPrinted(obj, coll)
	if err != nil {
		return nil, err
	}
	for _, m := range obj.Maps {
		place, err := generation(m, coll)
		if err != nil {
			return nil, err
		}
		from := coll.Maps[m.SpecName]
		if m.Cleared() && m.Storage != object.Cell {
			from = coll.Maps[m.GenerationName(place)]
		}
		more, err := readLines(obj, m, from, place)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
	}
	sort.Strings(lines)
	return lines, nil
}

// readPrinted returns what a script has printed.
func readPrinted(obj *object.Object, coll *ebpf.Collection) (lines []string, err error) {
	if len(obj.Events) == 0 {
		return nil, nil
	}
	ring, err := ringbuf.NewReader(coll.Maps[object.RingMap])
	if err != nil {
		return nil, err
	}
	defer ring.Close()
	ring.SetDeadline(time.Unix(1, 0)) // all is there
	for {
		record, err := ring.Read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return lines, nil
		}
		if err != nil {
			return nil, err
		}
		lines = appendPrinted(lines, obj.Events[object.Word(record.RawSample, 0)], record.RawSample)
	}
}

func appendPrinted(lines []string, e *object.Event, record []byte) []string {
	if e.Kind != object.EventPrintf {
		return lines
	}
	text := decode.New(decode.NewMachine(nil), nil, nil).Sprintf(e.Format, e.Split(record))
	return append(lines, printedLine(len(lines), text))
}

// here is the world of a script that this process runs.
func here() world {
	comm, _ := os.ReadFile("/proc/self/comm")
	return world{
		"pid":  value{bits: uint64(os.Getpid())},
		"tid":  value{bits: uint64(unix.Gettid())},
		"uid":  value{bits: uint64(os.Getuid())},
		"comm": value{text: strings.TrimSuffix(string(comm), "\n"), isText: true},
	}
}

// generation is where the current generation of a map is, 0 of one that is not
// cleared.
func generation(m *object.Map, coll *ebpf.Collection) (int, error) {
	if !m.Cleared() {
		return 0, nil
	}
	clears := coll.Maps[object.ClearMap]
	words := make([]byte, clears.ValueSize())
	err := clears.Lookup(uint32(0), &words)
	return object.Place(object.ClearState(object.Word(words, m.ClearStateWord())).Number()), err
}

// readLines reads a map by bpf(2). A cell is read at the place of its generation.
func readLines(obj *object.Object, m *object.Map, from *ebpf.Map, place int) (lines []string, err error) {
	var key, value []byte
	add := func(mark uint64, key, stored []byte) {
		if value := m.AppendRead(nil, stored); m.Written(mark, value) {
			lines = append(lines, renderLine(obj, m, key, value))
		}
	}
	var values [][]byte
	it := from.Iterate()
	switch m.Storage {
	case object.Cell:
		for it.Next(&key, &value) {
			value = value[place*m.CellSize():]
			mark, cell, _ := m.Cell(func(i int) uint64 { return object.Word(value, i) })
			add(mark, nil, cell)
		}
	case object.Array:
		for it.Next(&key, &value) {
			m.EachSlot(func(i int) uint64 { return object.Word(value, i) }, add)
		}
	case object.PerCPUHash:
		for it.Next(&key, &values) {
			total := make([]byte, m.Size)
			for _, v := range values {
				m.Reduce.Join(total, v)
			}
			add(1, key, total)
		}
	default:
		for it.Next(&key, &value) {
			add(1, key, value)
		}
	}
	return lines, it.Err()
}

func renderLine(obj *object.Object, m *object.Map, key, value []byte) string {
	return fmt.Sprintf("%s[%s] %s", m.Name, renderKey(obj, m, key), renderRow(m, value))
}

func renderKey(obj *object.Object, m *object.Map, key []byte) string {
	s := ""
	for i, part := range m.Split(key) {
		if i > 0 {
			s += ", "
		}
		if part.Type.Display == plylang.DisplayProbe {
			s += fmt.Sprintf("%q", obj.Probes[part.Int()])
			continue
		}
		s += renderValue(part)
		if part.Type.Integer() {
			s += wronglyShown(m.Keys[i], part)
		}
	}
	return s
}

// wronglyShown says that a number of a key has another sign than the type that the
// language gives it, however many bytes it takes in the key.
func wronglyShown(t *plylang.Type, v object.Value) string {
	raw := binary.LittleEndian.AppendUint64(nil, uint64(v.Int()))
	shown, want := decode.Number(v), decode.Number(object.Value{Type: t, Raw: raw})
	if shown == want {
		return ""
	}
	return fmt.Sprintf(" shown as %s, not %s", shown, want)
}

func renderValue(v object.Value) string {
	if v.Type.Kind == plylang.String {
		text, _, _ := bytes.Cut(v.Raw, []byte{0})
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprintf("%#x", uint64(v.Int()))
}

func renderRow(m *object.Map, raw []byte) string {
	switch r := m.Read(raw); r.Shape {
	case object.ShapeRaw:
		return renderValue(r.Raw)
	case object.ShapeNumber:
		if m.Value == nil { // count()
			return r.Number.String()
		}
		return fmt.Sprintf("%#x", r.Number.Bits)
	case object.ShapeMean:
		return fmt.Sprintf("%#x/%d", r.Number.Bits, r.Count)
	case object.ShapeHistogram:
		return renderHistogram(r)
	default:
		panic(fmt.Sprintf("property: no shape %d", r.Shape))
	}
}

func renderHistogram(r object.Reading) string {
	buckets := map[string]uint64{}
	for i := range r.Buckets.Len() {
		n := r.In(i)
		if n == 0 {
			continue
		}
		lo, hi := r.Buckets.Range(i)
		if lo == nil {
			lo = big.NewInt(math.MinInt64)
		}
		if hi == nil {
			hi = big.NewInt(math.MaxInt64)
		}
		buckets[limits(lo, hi)] += n
	}
	return histogram(r.Number.Bits, buckets)
}

// makeCalls makes the system calls of firings.
func makeCalls() []call {
	calls := []call{
		{lseek: true, args: [3]uint64{0xdeadbeef_ffffffff, 1<<63 + 5, 0xffffffff_80000001}},
		{args: [3]uint64{0}},
		{lseek: true, args: [3]uint64{1 << 30, ^uint64(6), 2}},
		{args: [3]uint64{0x12345678_fffffff0}},
		{args: [3]uint64{uint64(os.Getpid())}},
	}
	for i, c := range calls {
		nr := unix.SYS_GETPGID
		if c.lseek {
			nr = unix.SYS_LSEEK
		}
		r, _, errno := unix.RawSyscall(uintptr(nr), uintptr(c.args[0]), uintptr(c.args[1]), uintptr(c.args[2]))
		if calls[i].result = int64(r); errno != 0 {
			calls[i].result = -int64(errno)
		}
	}
	return calls
}
