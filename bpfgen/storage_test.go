package bpfgen

import (
	"testing"

	"ply-exporter/bpfgen/object"
)

// What a map of n CPUs takes. What adds up stays below a bound however many there
// are; only an extreme grows with them.
func TestStorageByCPUs(t *testing.T) {
	const script = `BEGIN { @count[comm] = count(); @sum[pid] = sum(pid); @avg[pid] = avg(pid); @hist[pid] = quantize(pid); @max[pid] = max(pid);
		@few[pid] = count(); @evict[pid] = count(); @ = count(); }`
	opt := Options{Maps: map[string]MapOptions{
		"@hist": {Buckets: powers(25)}, "@few": {MaxEntries: 64}, "@evict": {Evict: true},
	}}
	always := func(s object.Storage) [3]object.Storage { return [3]object.Storage{s, s, s} }
	adds := [3]object.Storage{object.PerCPUHash, object.SharedHash, object.SharedHash}
	want := map[string][3]object.Storage{
		"@count": adds, "@sum": adds, "@avg": adds, "@hist": adds,
		"@max": always(object.PerCPUHash), "@few": always(object.PerCPUHash), "@evict": always(object.LRUHash), "@": always(object.Cell),
	}
	limits := map[string]int{"@count": 2e6, "@hist": 1e6}
	for i, cpus := range []int{2, 16, 256} {
		k := recorded(t, "6.18-amd64")
		k.AssumeCPUs(cpus)
		for _, m := range compile(t, k, script, opt).Maps {
			if m.Storage != want[m.Name][i] {
				t.Errorf("%s with %d CPUs is stored as %v, want %v", m.Name, cpus, m.Storage, want[m.Name][i])
			}
			if limit := limits[m.Name]; limit > 0 && m.Memory(cpus) > limit {
				t.Errorf("%s with %d CPUs takes %d bytes, more than %d", m.Name, cpus, m.Memory(cpus), limit)
			}
		}
	}
}
