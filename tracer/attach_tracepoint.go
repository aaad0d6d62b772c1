package tracer

import (
	"fmt"
	"io"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"ply-exporter/bpfgen/object"
)

// attachTracepoint attaches through perf: one event stands for all CPUs.
func attachTracepoint(p *ebpf.Program, place object.Place, cookie uint64) (io.Closer, error) {
	category, name, ok := strings.Cut(place.Target, "/")
	if !ok {
		return nil, fmt.Errorf("tracepoint %q has no category", place.Target)
	}
	return link.Tracepoint(category, name, p, &link.TracepointOptions{Cookie: cookie})
}
