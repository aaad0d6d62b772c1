package decode

import (
	"net"

	"ply-exporter/bpfgen/object"
)

// macText is the hardware address of a network interface: aa:bb:cc:dd:ee:ff.
func macText(_ *Decoder, v object.Value) string {
	return net.HardwareAddr(v.Raw[:min(6, len(v.Raw))]).String()
}
