package decode

import (
	"strings"

	"ply-exporter/bpfgen/elf"
	"ply-exporter/bpfgen/object"
)

// userFunction is the function of the probe with that ID, which stands behind the
// path in the probe's name. It is shown as usym and stacks show it: as the sources of
// C++ and Rust have it. Several of one name, as for different parameters, look the same
// then; the built-in probe tells them apart.
func (d *Decoder) userFunction(v object.Value) string {
	function, offset, inside := strings.Cut(object.FunctionOf(d.probe(v)), "+")
	if inside {
		return elf.Demangle(function) + "+" + offset
	}
	return elf.Demangle(function)
}
