package tracer

import (
	"math/big"
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// What a map will take is known before it is made: it is what the kernel charges,
// where the kernel says that. One that adds up takes no more where many CPUs are
// possible.
func TestKernelMemory(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	k := runningKernel(t)
	obj, err := bpfgen.Build(&plylang.Source{Text: `BEGIN {
		@count[pid] = count(); @hist[pid] = quantize(pid); @most[pid] = max(pid); @all = sum(pid);
		@recent[pid] = count(); @last = count(); recent[pid] = 1; clear(@recent); clear(@last); clear(recent);
		seen[tid] = time; last = comm; where[kstack] = 1; printf("%d\n", pid);
	}`}, k, bpfgen.Options{Maps: map[string]bpfgen.MapOptions{"@hist": {Buckets: defaultBounds()}}}, nil)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	tr := start(t, obj, testOptions(t))
	about := 1024 // what the head of a map of the kernel differs in from kernel to kernel
	if !k.AtLeast(5, 11) {
		about = 4 * 4096 // its parts are charged in whole pages
	}
	total := 0
	for _, m := range obj.Maps {
		charged, expected, about := int(tr.MapMemory(m)), m.Memory(obj.CPUs), about
		if m.Cleared() {
			about *= object.Generations
		}
		if expected < charged-about || k.AtLeast(6, 4) && expected > charged+about {
			t.Errorf("%s takes %d bytes with %d CPUs, expected %d", m.Name, charged, obj.CPUs, expected)
		}
		if limit := map[string]int{"@count": 2e6, "@hist": 1e6}[m.Name]; limit > 0 && obj.CPUs >= 16 && max(charged, expected) > limit {
			t.Errorf("%s takes %d bytes with %d CPUs, more than %d", m.Name, charged, obj.CPUs, limit)
		}
	}
	for _, m := range tr.coll.Maps {
		info, err := m.Info()
		if err != nil {
			t.Fatal(err)
		}
		n, _ := info.Memlock()
		total += int(n)
	}
	if off := obj.Memory() - total; off < -about*len(tr.coll.Maps) || k.AtLeast(6, 4) && off > about*len(tr.coll.Maps) {
		t.Errorf("all take %d bytes, expected %d", total, obj.Memory())
	}
}

// defaultBounds are the bounds of a histogram as the exporter makes them by default.
func defaultBounds() object.Bounds {
	var ends []*big.Int
	for i := range 25 {
		ends = append(ends, big.NewInt(1<<i))
	}
	return object.NewBounds(ends)
}
