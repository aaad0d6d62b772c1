package tracer

import (
	"fmt"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"ply-exporter/bpfgen/object"
)

// attachRawTracepoint attaches to a tracepoint's own hook. Cookies exist there
// in recent kernels only, and the library has no way to give them.
func attachRawTracepoint(p *ebpf.Program, t object.RawTracepoint, cookie uint64) (io.Closer, error) {
	if cookie != 0 {
		return nil, fmt.Errorf("cookie of a raw tracepoint: %w", ebpf.ErrNotSupported)
	}
	if p.Type() == ebpf.Tracing { // it was loaded for the tracepoint
		return link.AttachTracing(link.TracingOptions{Program: p})
	}
	return link.AttachRawTracepoint(link.RawTracepointOptions{Name: t.Event, Program: p})
}
