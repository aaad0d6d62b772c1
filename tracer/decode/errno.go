package decode

import (
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// errnoName takes an error number of either sign: -2 and 2 are ENOENT.
func errnoName(_ *Decoder, v object.Value) string {
	n := v.Int()
	if n < 0 {
		n = -n
	}
	if name := unix.ErrnoName(unix.Errno(n)); n != 0 && name != "" {
		return name
	}
	return Number(v)
}
