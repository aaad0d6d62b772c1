package decode

import (
	"strconv"

	"ply-exporter/bpfgen/object"
)

// hexText is a number in hexadecimal digits, of which a negative one has as many as
// its own width.
func hexText(_ *Decoder, v object.Value) string {
	n := uint64(v.Int())
	if size := v.Type.Size; size > 0 && size < 8 {
		n &= 1<<(8*size) - 1
	}
	return hexNumber(n)
}

func hexNumber(n uint64) string { return "0x" + strconv.FormatUint(n, 16) }
