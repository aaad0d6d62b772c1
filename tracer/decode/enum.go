package decode

import (
	"fmt"
	"strings"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// enumName is the first name of an enum's value, and the number where it has none.
func enumName(_ *Decoder, v object.Value) string {
	e := v.Type.Display.Arg.(*plylang.Enumeration)
	if name := e.NameOf(v.Int()); name != "" {
		return name
	}
	if e.Flags && v.Int() != 0 {
		return flagNames(e, v)
	}
	return Number(v)
}

// flagNames are the names of a value's bits, in the order of the table, and what
// is left of it. Of a value in which no bit has a name it is the number.
func flagNames(e *plylang.Enumeration, v object.Value) string {
	var names []string
	bits := v.Int()
	for _, flag := range e.Values {
		if flag.Value != 0 && bits&flag.Value == flag.Value {
			names = append(names, flag.Name)
			bits &^= flag.Value
		}
	}
	if len(names) == 0 {
		return Number(v)
	}
	if bits != 0 {
		names = append(names, fmt.Sprintf("%#x", uint64(bits)))
	}
	return strings.Join(names, "|")
}
