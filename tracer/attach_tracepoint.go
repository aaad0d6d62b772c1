package tracer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// attachTracepoint attaches through perf: one event stands for all CPUs. That of
// the library is sampled as well, for nobody: on the CPU it was opened for an
// event would take half a microsecond longer.
func attachTracepoint(p *ebpf.Program, t object.Tracepoint, cookie uint64) (io.Closer, error) {
	event, err := openTracepoint(t)
	if err != nil {
		return nil, err
	}
	return runOn(event, p, cookie)
}

func openTracepoint(t object.Tracepoint) (fd, error) {
	id, err := tracepointID(t)
	if err != nil {
		return 0, err
	}
	return openPerfEvent(&unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Config: id}, 0)
}

// tracepointID is the number that perf events know a tracepoint by.
func tracepointID(t object.Tracepoint) (uint64, error) {
	var raw []byte
	var err error = os.ErrNotExist
	for _, folder := range tracefs {
		raw, err = os.ReadFile(fmt.Sprintf("%s/events/%s/%s/id", folder, t.Category, t.Event))
		if !errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 64)
}
