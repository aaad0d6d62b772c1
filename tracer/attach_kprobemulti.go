package tracer

import (
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"ply-exporter/bpfgen/object"
)

// attachKprobeMulti attaches to functions by one link.
func attachKprobeMulti(p *ebpf.Program, places []object.Place) (io.Closer, error) {
	return link.KprobeMulti(p, multiOptions(places))
}

// attachKretprobeMulti attaches to functions' returns by one link.
func attachKretprobeMulti(p *ebpf.Program, places []object.Place) (io.Closer, error) {
	return link.KretprobeMulti(p, multiOptions(places))
}

// multiOptions names the functions by address or by name: all have an address
// or none.
func multiOptions(places []object.Place) link.KprobeMultiOptions {
	var o link.KprobeMultiOptions
	for _, p := range places {
		o.Cookies = append(o.Cookies, p.ID)
		if p.Addr != 0 {
			o.Addresses = append(o.Addresses, uintptr(p.Addr))
		} else {
			o.Symbols = append(o.Symbols, p.Target)
		}
	}
	return o
}
