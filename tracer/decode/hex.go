package decode

import (
	"strconv"

	"ply-exporter/bpfgen/object"
)

// hexText is a number in hexadecimal digits.
func hexText(_ *Decoder, v object.Value) string { return hexNumber(uint64(v.Int())) }

func hexNumber(n uint64) string { return "0x" + strconv.FormatUint(n, 16) }
