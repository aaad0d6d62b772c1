package decode

import (
	"time"

	"ply-exporter/bpfgen/object"
)

// walltime is the time of day in the machine's time zone.
func walltime(_ *Decoder, v object.Value) string {
	return time.Unix(0, v.Int()).Format("15:04:05.000000000")
}
