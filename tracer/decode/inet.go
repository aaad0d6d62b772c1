package decode

import (
	"net/netip"

	"ply-exporter/bpfgen/object"
)

// inet is an address as its bytes lie in memory: 4 are IPv4, 16 are IPv6.
func inet(_ *Decoder, v object.Value) string {
	if len(v.Raw) >= 16 {
		return netip.AddrFrom16([16]byte(v.Raw[:16])).String()
	}
	return netip.AddrFrom4([4]byte(v.Raw[:4])).String()
}
