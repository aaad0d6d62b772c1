package decode

import (
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// signalName is the name of a signal's number.
func signalName(_ *Decoder, v object.Value) string {
	if name := unix.SignalName(unix.Signal(v.Int())); name != "" {
		return name
	}
	return Number(v)
}
