package tracer

import (
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// BenchmarkRows reads a map of 20,000 keys, as a scrape does.
func BenchmarkRows(b *testing.B) {
	need.BPF(b)
	const keys = 20000
	layout := countMap(object.PerCPUHash)
	layout.MaxEntries = keys
	o := newObject("")
	m := o.addMap(layout)
	tr := start(b, o.build(), testOptions(b))
	values := make([]uint64, tr.maps[m.ID].shape.cpus)
	values[0] = 1
	for i := range uint64(keys) {
		if err := tr.maps[m.ID].kernel.Put(i, values); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		rows, err := tr.Rows(m)
		if err != nil || len(rows) != keys {
			b.Fatalf("%d rows, %v", len(rows), err)
		}
	}
}

// BenchmarkStart starts and closes six scripts of three probes each.
func BenchmarkStart(b *testing.B) {
	need.BPF(b)
	var objs []*object.Object
	for range 6 {
		o := newObject("")
		count, cell := o.addMap(countMap(object.PerCPUHash)), o.addMap(cellMap())
		for _, target := range []string{"raw_syscalls/sys_enter", "sched/sched_switch", "irq/softirq_entry"} {
			o.program(object.AttachTracepoint, target, points(tracepoint(target)),
				keyImm(1), element(count), addOne(0), cellAdd(cell))
		}
		objs = append(objs, o.build())
	}
	for b.Loop() {
		tracers, errs := StartAll(objs, testOptions(b))
		b.StopTimer()
		for i, tr := range tracers {
			if errs[i] != nil {
				b.Fatal(errs[i])
			}
			if err := tr.Close(); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
	}
}
