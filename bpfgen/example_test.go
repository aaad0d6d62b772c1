package bpfgen_test

import (
	"fmt"
	"log"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

// A script is compiled for a recorded kernel. kernel.Running is the one to
// compile for what shall run.
func ExampleBuild() {
	k, err := kernel.Open(recorded.Files("6.18-amd64"))
	if err != nil {
		log.Fatal(err)
	}
	src := &plylang.Source{File: "reads.ply", Text: `kprobe:sys_read { @reads[comm] = count(); }`}
	obj, err := bpfgen.Build(src, k, bpfgen.Options{}, nil)
	if err != nil {
		log.Fatal(plylang.Detail(err))
	}
	for _, p := range obj.Programs {
		fmt.Println(p.Attach, p.Points[0])
	}
	for _, m := range obj.Maps {
		fmt.Printf("%s: key of %d bytes\n", m.Name, m.KeySize)
	}
	// Output:
	// raw_tracepoint sys_enter
	// @reads: key of 16 bytes
}
