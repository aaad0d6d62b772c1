package tracer

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// Packed values are read whole in all ways, of one CPU or joined, wherever their words are
// that are not zero: also with a last block that is not whole, with a time behind it, and
// more of them than the lister has memory for at first.
func TestReadPackedElements(t *testing.T) {
	need.OldAndNew(t)
	need.BPF(t)
	for _, of := range []struct {
		words   int
		storage object.Storage
		timed   bool
	}{{257, object.SharedHash, true}, {515, object.PerCPUHash, true}, {1090, object.SharedHash, false}, {1090, object.PerCPUHash, false}} {
		b := newObject("")
		m := b.addMap(object.Map{Storage: of.storage, Values: object.Table, KeySize: 8, Size: 8 * of.words, MaxEntries: 40, Room: 40})
		r := start(t, b.build(), testOptions(t)).maps[m.ID]
		r.shape.reduce = object.ReduceSum
		want := putScattered(t, r)
		if r.shape.packed = of.words; of.timed {
			r.shape.packed--
			r.shape.timed = r.shape.cpus > 1
		}
		shared.load(map[shape]bool{r.shape: true}, btf.NewCache())
		for name, way := range waysToRead(t, r) {
			comparePacked(t, name, r, way, want)
		}
	}
}

// putScattered stores words of all CPUs, and returns by key what CPUs have each.
func putScattered(t *testing.T, r *mapReader) map[uint64][][]uint64 {
	t.Helper()
	rnd := rand.New(rand.NewPCG(uint64(r.shape.words), uint64(r.shape.cpus)))
	all := map[uint64][][]uint64{}
	for key := range uint64(r.MaxEntries) {
		values := wordArrays(r.shape.words, r.shape.cpus)
		for cpu := range r.shape.cpus {
			value := make([]uint64, r.shape.words)
			for range rnd.IntN(3) * rnd.IntN(r.shape.words) {
				i := rnd.IntN(len(value))
				value[i] = rnd.Uint64() >> rnd.IntN(64)
				values.Index(cpu).Index(i).SetUint(value[i])
			}
			all[key] = append(all[key], value)
		}
		stored := values.Interface()
		if r.Storage != object.PerCPUHash {
			stored = values.Index(0).Interface()
		}
		if err := r.kernel.Put(key, stored); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func comparePacked(t *testing.T, name string, r *mapReader, way elements, want map[uint64][][]uint64) {
	t.Helper()
	s := r.shape
	m := object.Map{Values: object.Values{Shape: object.ShapeHistogram}, Size: 8 * s.packed}
	data, err := way.read(nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if n := s.count(data); n != len(want) {
		t.Fatalf("%s: %d elements, want %d", name, n, len(want))
	}
	for element := range s.each(data) {
		tail := len(element) - s.tail()
		got := append(m.AppendStored(nil, element[8:tail]), element[tail:]...)
		key := object.Word(element, 0)
		if !bytes.Equal(got, s.joinedValue(want[key])) {
			t.Fatalf("%s, %+v: [%d] is\n%x, want\n%x", name, s, key, got, s.joinedValue(want[key]))
		}
		if again := object.AppendPacked(nil, got[:8*s.packed]); !bytes.Equal(again, element[8:tail]) {
			t.Fatalf("%s, %+v: [%d] is packed as\n%x, want\n%x", name, s, key, element[8:tail], again)
		}
	}
}

// joinedValue is what the values of CPUs are together.
func (s shape) joinedValue(values [][]uint64) (joined []byte) {
	for i := range s.words {
		all := uint64(0)
		for _, v := range values {
			if s.timed && i == s.words-1 {
				all = max(all, v[i])
			} else {
				all += v[i]
			}
		}
		joined = binary.LittleEndian.AppendUint64(joined, all)
	}
	return joined
}
