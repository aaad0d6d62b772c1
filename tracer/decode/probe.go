package decode

import (
	"strconv"

	"ply-exporter/bpfgen/object"
)

// probe is the full name of the probe with that ID.
func (d *Decoder) probe(v object.Value) string {
	id := v.Int()
	if 0 <= id && id < int64(len(d.probes)) {
		return d.probes[id]
	}
	if d.stacks != nil {
		if name := d.stacks.LaterProbe(id); name != "" {
			return name
		}
	}
	return "probe " + strconv.FormatInt(id, 10)
}
