package tracer

import (
	"fmt"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"ply-exporter/bpfgen/object"
)

// attachKprobeMulti attaches to functions by one link.
func attachKprobeMulti(p *ebpf.Program, points []object.AttachPoint) (io.Closer, error) {
	return link.KprobeMulti(p, multiOptions(points))
}

// attachKretprobeMulti attaches to functions' returns by one link.
func attachKretprobeMulti(p *ebpf.Program, points []object.AttachPoint) (io.Closer, error) {
	return link.KretprobeMulti(p, multiOptions(points))
}

// attachKprobeSession attaches to the beginning and the return of functions' calls
// by one link.
func attachKprobeSession(p *ebpf.Program, points []object.AttachPoint) (io.Closer, error) {
	o := multiOptions(points)
	o.Session = true
	return link.KprobeMulti(p, o)
}

// byNameOrAddress divides functions into those that go by name and those that
// go by address, because several have their name: a link takes one of both.
func byNameOrAddress(points []object.AttachPoint) (lists [][]object.AttachPoint) {
	byName, byAddress := make([]object.AttachPoint, 0, len(points)), []object.AttachPoint(nil)
	for _, at := range points {
		if function(at).Addr != 0 {
			byAddress = append(byAddress, at)
		} else {
			byName = append(byName, at)
		}
	}
	for _, list := range [][]object.AttachPoint{byName, byAddress} {
		if len(list) > 0 {
			lists = append(lists, list)
		}
	}
	return lists
}

// multiOptions names the functions by address or by name: all have an address
// or none.
func multiOptions(points []object.AttachPoint) link.KprobeMultiOptions {
	var o link.KprobeMultiOptions
	for _, at := range points {
		o.Cookies = append(o.Cookies, at.ID)
		if f := function(at); f.Addr != 0 {
			o.Addresses = append(o.Addresses, uintptr(f.Addr))
		} else {
			o.Symbols = append(o.Symbols, f.Symbol)
		}
	}
	return o
}

func function(at object.AttachPoint) object.Function {
	f, ok := at.Site.(object.Function)
	if !ok {
		panic(fmt.Sprintf("tracer: a program for functions is to be attached to a %T", at.Site))
	}
	return f
}
