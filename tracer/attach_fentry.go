package tracer

import (
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"ply-exporter/bpfgen/object"
)

// attachFentry attaches to the function that the program was loaded for, at its
// beginning or its return.
func attachFentry(p *ebpf.Program, _ object.Function, _ uint64) (io.Closer, error) {
	return link.AttachTracing(link.TracingOptions{Program: p})
}
