package decode

import (
	"strings"

	"ply-exporter/bpfgen/object"
)

// userFunction is the function of the probe with that ID, which stands behind the
// path in the probe's name: "readline" of uprobe:/bin/bash:readline. A path has no
// colon, and the name of a function may have several.
func (d *Decoder) userFunction(v object.Value) string {
	name := d.probe(v)
	if parts := strings.SplitN(name, ":", 3); len(parts) == 3 {
		return parts[2]
	}
	return name
}
