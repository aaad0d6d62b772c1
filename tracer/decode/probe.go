package decode

import (
	"strconv"

	"ply-exporter/bpfgen/object"
)

// probe is the full name of the probe with that ID.
func (d *Decoder) probe(v object.Value) string {
	id := v.Int()
	if id < 0 || id >= int64(len(d.probes)) {
		return "probe " + strconv.FormatInt(id, 10)
	}
	return d.probes[id]
}
