package decode

import (
	"strings"

	"ply-exporter/bpfgen/object"
)

// recordValues are the values in a record that mem(p, "format") read.
func recordValues(v object.Value) []object.Value {
	fields := v.Type.Display.Arg.(*object.Record).Fields
	values := make([]object.Value, len(fields))
	for i, f := range fields {
		values[i] = object.Value{Type: f.Type, Raw: v.Raw[f.Offset:][:f.Type.Size]}
	}
	return values
}

// record is the record's values in braces, as C writes a struct.
func (d *Decoder) record(v object.Value) string {
	values := recordValues(v)
	texts := make([]string, len(values))
	for i, x := range values {
		texts[i] = d.Text(x)
	}
	return "{" + strings.Join(texts, ", ") + "}"
}

func (d *Decoder) recordList(v object.Value) any {
	values := recordValues(v)
	list := make([]any, len(values))
	for i, x := range values {
		list[i] = d.JSON(x)
	}
	return list
}
