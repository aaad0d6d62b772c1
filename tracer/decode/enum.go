package decode

import (
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// enumName is the first name of an enum's value, and the number where it has none.
func enumName(_ *Decoder, v object.Value) string {
	for _, e := range v.Type.Display.Arg.(*plylang.Enumeration).Values {
		if e.Value == v.Int() {
			return e.Name
		}
	}
	return Number(v)
}
