package report

import (
	"ply-exporter/bpfgen/object"
	"ply-exporter/tracer"
)

// merged adds up the rows of an aggregation whose keys read the same, as those
// of stacks do that differ only by places within the same functions. shown is what
// a key reads as.
func merged(m *object.Map, rows []tracer.Row, shown func(key []byte) string) []tracer.Row {
	if m.Shape == object.ShapeRaw || m.KeySize == 0 {
		return rows
	}
	out := make([]tracer.Row, 0, len(rows))
	place := make(map[string]int, len(rows))
	for _, r := range rows {
		key := shown(r.Key)
		if i, ok := place[key]; ok {
			out[i].Value = m.AppendJoined(nil, out[i].Value, r.Value)
			continue
		}
		place[key] = len(out)
		out = append(out, tracer.Row{Key: r.Key, Value: r.Value})
	}
	return out
}
