package tracer_test

import (
	"fmt"
	"log"
	"time"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

// A script runs for a second on this machine, which takes root, and its map is
// read.
func ExampleStart() {
	k, err := kernel.Running()
	if err != nil {
		log.Fatal(err)
	}
	tracer.Detect(k)
	src := &plylang.Source{Text: `kprobe:sys_read { @reads[pid] = count(); }`}
	obj, err := bpfgen.Build(src, k, bpfgen.Options{}, nil)
	if err != nil {
		log.Fatal(plylang.Detail(err))
	}
	t, err := tracer.Start(obj, tracer.Options{Kernel: k})
	if err != nil {
		log.Fatal(plylang.Detail(err))
	}
	defer t.Close()
	time.Sleep(time.Second)
	reads := obj.Maps[0]
	rows, err := t.Rows(reads)
	if err != nil {
		log.Fatal(err)
	}
	for _, row := range rows {
		fmt.Printf("pid %d reads\n", reads.Split(row.Key)[0].Int())
	}
}
