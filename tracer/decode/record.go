package decode

import (
	"strings"

	"ply-exporter/bpfgen"
)

// recordValues are the values in a record that mem(p, "format") read.
func recordValues(v bpfgen.Value) []bpfgen.Value {
	_, format, _ := strings.Cut(v.Type.Show, ":")
	fields, _, err := bpfgen.ParseRecord(format)
	if err != nil {
		return nil
	}
	values := make([]bpfgen.Value, len(fields))
	for i, f := range fields {
		values[i] = bpfgen.Value{Type: f.Type, Raw: v.Raw[f.Offset:][:f.Type.Size]}
	}
	return values
}

// record is the record's values in braces, as C writes a struct.
func (d *Decoder) record(v bpfgen.Value) string {
	values := recordValues(v)
	texts := make([]string, len(values))
	for i, x := range values {
		texts[i] = d.Text(x)
	}
	return "{" + strings.Join(texts, ", ") + "}"
}

func (d *Decoder) recordList(v bpfgen.Value) any {
	values := recordValues(v)
	list := make([]any, len(values))
	for i, x := range values {
		list[i] = d.JSON(x)
	}
	return list
}
