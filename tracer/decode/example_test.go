package decode_test

import (
	"fmt"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
	"ply-exporter/tracer/decode"
)

// All scripts of a machine share its names; each has a decoder of its own.
func ExampleNew() {
	machine := decode.NewMachine(nil) // without a kernel: no symbols, no system calls
	d := decode.New(machine, []string{"BEGIN", "kprobe:vfs_read"}, nil)

	probe := &plylang.Type{Kind: plylang.Int, Size: 8, Display: plylang.DisplayProbe}
	fmt.Println(d.Text(object.Value{Type: probe, Raw: []byte{1, 0, 0, 0, 0, 0, 0, 0}}))

	latency := object.Value{Type: plylang.DurationT, Raw: []byte{0, 4, 0, 0, 0, 0, 0, 0}}
	fmt.Println(d.Text(latency))
	fmt.Println(d.Sprintf("%8v|", []object.Value{latency}))

	comm := object.Value{Type: plylang.StringType(8), Raw: []byte("a\x1b[2J\x00\x00\x00")}
	fmt.Println(decode.ForTerminal.Escape(d.Text(comm)))
	// Output:
	// kprobe:vfs_read
	// 1.02us
	//   1.02us|
	// a\x1b[2J
}
