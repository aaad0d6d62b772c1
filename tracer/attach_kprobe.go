package tracer

import (
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
)

// attachKprobe attaches to a function, or to an instruction of one.
func attachKprobe(p *ebpf.Program, place bpfgen.Place, cookie uint64) (io.Closer, error) {
	if place.Addr != 0 {
		return attachKprobeAt(p, place.Addr+place.Offset, 0, cookie)
	}
	return link.Kprobe(place.Target, p, &link.KprobeOptions{Offset: place.Offset, Cookie: cookie})
}

// attachKretprobe attaches to a function's return.
func attachKretprobe(p *ebpf.Program, place bpfgen.Place, cookie uint64) (io.Closer, error) {
	if place.Addr != 0 {
		return attachKprobeAt(p, place.Addr, 1, cookie)
	}
	return link.Kretprobe(place.Target, p, &link.KprobeOptions{Cookie: cookie})
}

// attachKprobeAt attaches to an address, which the library cannot. config
// says whether to the function's return: bit 0 of the kprobe events' config
// in all kernels.
func attachKprobeAt(p *ebpf.Program, addr, config, cookie uint64) (io.Closer, error) {
	raw, err := os.ReadFile("/sys/bus/event_source/devices/kprobe/type")
	if err != nil {
		return nil, err
	}
	kind, err := strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 32)
	if err != nil {
		return nil, err
	}
	attr := unix.PerfEventAttr{Type: uint32(kind), Config: config, Ext2: addr}
	return openPerfEvent(&attr, 0, p, cookie)
}
