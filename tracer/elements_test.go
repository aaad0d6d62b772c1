package tracer

import (
	"sync/atomic"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// waysToRead opens all ways that this kernel has to read a map.
func waysToRead(t *testing.T, r *mapReader) map[string]elements {
	t.Helper()
	ways := map[string]elements{"lookups": lookups{r.shape, r.kernel}}
	it, errIter := shared.open(r.shape, r.kernel)
	if errIter == nil {
		t.Cleanup(it.close)
		ways["iterator"] = it
	}
	list, errList := openLister(r.shape, r.kernel)
	if errList == nil {
		t.Cleanup(list.close)
		ways["lister"] = list
	}
	if errIter != nil && errList != nil {
		t.Errorf("no way that disturbs nobody: %v, %v", errIter, errList)
	}
	if runningKernel(t).AtLeast(5, 19) && errList != nil {
		t.Error(errList)
	}
	return ways
}

// quietly makes a map be read in all ways that disturb nobody, by turns.
func quietly(t *testing.T, r *mapReader) {
	t.Helper()
	var all turns
	for name, way := range waysToRead(t, r) {
		if name != "lookups" {
			all.ways = append(all.ways, way)
		}
	}
	r.elements.close()
	r.elements = &all
}

// turns are several ways to read, each of which has its turn.
type turns struct {
	ways []elements
	n    atomic.Int64
}

func (w *turns) read(data []byte) ([]byte, error) {
	return w.ways[int(w.n.Add(1))%len(w.ways)].read(data)
}

func (w *turns) close() {}

// Values of CPUs are reduced word by word, whatever way the map is read.
func TestReduce(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	for _, row := range []struct {
		name   string
		reduce object.Reduce
		want   func(a, b uint64) uint64
	}{
		{"sum", object.ReduceSum, func(a, b uint64) uint64 { return a + b }},
		{"maximum", object.ReduceMax, func(a, b uint64) uint64 { return max(a, b) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newObject("")
			m := b.addMap(object.Map{Storage: object.PerCPUHash, Values: object.Values{Shape: object.ShapeRaw, Reduce: row.reduce}, KeySize: 16, Size: 24, MaxEntries: 64})
			tr := start(t, b.build(), testOptions(t))
			r := tr.maps[m.ID]
			want := putReduced(t, r, row.want)
			for name, way := range waysToRead(t, r) {
				data, err := way.read(nil)
				if err != nil {
					t.Fatal(name, err)
				}
				if len(data) != 20*40 {
					t.Fatalf("%s: %d bytes of elements, want %d", name, len(data), 20*40)
				}
				for e := data; len(e) > 0; e = e[40:] {
					got := [3]uint64{object.Word(e, 2), object.Word(e, 3), object.Word(e, 4)}
					if got != want[object.Word(e, 0)] || object.Word(e, 1) != 7 {
						t.Errorf("%s: [%d] = %d, want %d", name, object.Word(e, 0), got, want[object.Word(e, 0)])
					}
				}
			}
		})
	}
}

// putReduced stores 20 keys with values of all CPUs, and returns what they are
// joined to.
func putReduced(t *testing.T, r *mapReader, join func(a, b uint64) uint64) map[uint64][3]uint64 {
	t.Helper()
	want := map[uint64][3]uint64{}
	for key := range uint64(20) {
		values := make([][3]uint64, r.shape.cpus)
		for cpu := range values {
			values[cpu] = [3]uint64{key * uint64(cpu+1), 1 << 63, uint64(cpu) << key}
		}
		if err := r.kernel.Put([2]uint64{key, 7}, values); err != nil {
			t.Fatal(err)
		}
		all := values[0]
		for _, v := range values[1:] {
			for i := range all {
				all[i] = join(all[i], v[i])
			}
		}
		want[key] = all
	}
	return want
}

// The largest keys and values are read whole in all ways.
func TestReadLargeElements(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	const words = 1100
	for _, storage := range []object.Storage{object.SharedHash, object.LRUHash, object.PerCPUHash} {
		b := newObject("")
		m := b.addMap(object.Map{Storage: storage, Values: object.Table, KeySize: 512, Size: 8 * words, MaxEntries: 20, Room: 20})
		tr := start(t, b.build(), testOptions(t))
		r := tr.maps[m.ID]
		values := make([][words]uint64, r.shape.cpus)
		for cpu := range values {
			for i := range words {
				values[cpu][i] = uint64(i)
			}
		}
		key := [64]uint64{0: 5, 63: 6}
		if err := r.kernel.Put(key, values); err != nil {
			t.Fatal(err)
		}
		for name, way := range waysToRead(t, r) {
			data, err := way.read(nil)
			if err != nil || len(data) != 512+8*words {
				t.Fatalf("%s: %d bytes, %v", name, len(data), err)
			}
			if object.Word(data, 0) != 5 || object.Word(data, 63) != 6 {
				t.Errorf("%s: key is wrong", name)
			}
			for i := range words {
				if got := object.Word(data, 64+i); got != uint64(i*r.shape.cpus) {
					t.Fatalf("%s: word %d is %d, want %d", name, i, got, i*r.shape.cpus)
				}
			}
		}
	}
}

// A map whose iterator program the kernel refuses takes none from the others.
func TestIteratorsOfOthers(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	own := iterators{programs: map[shape]*ebpf.Program{}, refused: map[shape]error{}}
	small, large := shape{keySize: 8, words: 1, cpus: 1}, shape{keySize: 1 << 30, words: 1, cpus: 1}
	cache := btf.NewCache()
	own.load(map[shape]bool{small: true, large: true}, cache)
	shared.load(map[shape]bool{small: true}, cache)
	if own.programs[large] != nil || own.refused[large] == nil {
		t.Fatal("the large one must be refused")
	}
	if (own.programs[small] == nil) != (shared.programs[small] == nil) {
		t.Errorf("the small one: %v", own.refused[small])
	}
}
