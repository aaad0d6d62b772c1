package tracer

import (
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"ply-exporter/bpfgen/object"
)

// attachTracepoint attaches through perf: one event stands for all CPUs.
func attachTracepoint(p *ebpf.Program, t object.Tracepoint, cookie uint64) (io.Closer, error) {
	return link.Tracepoint(t.Category, t.Event, p, &link.TracepointOptions{Cookie: cookie})
}
