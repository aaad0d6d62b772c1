package decode

import (
	"net"

	"ply-exporter/bpfgen/object"
)

// networkInterface is the index of a network interface as its name, or the number
// when there is none. Indexes belong to a network namespace; the names are those of
// our own.
func (d *Decoder) networkInterface(v object.Value) string {
	if name, ok := d.machine.interfaces.of(v.Int()); ok {
		return name
	}
	return Number(v)
}

// readInterfaces asks the kernel for the network interfaces of our namespace.
func readInterfaces() map[int64]string {
	names := map[int64]string{}
	all, err := net.Interfaces()
	if err != nil {
		return names
	}
	for _, i := range all[:min(len(all), maxNames)] {
		names[int64(i.Index)] = i.Name
	}
	return names
}
