package report

import (
	"encoding/json"
	"io"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
	"ply-exporter/tracer/decode"
)

// JSON prints one object per line. Integers are exact; text that is not valid
// UTF-8 has its other bytes as \xhh, as in the text form.
type JSON struct {
	writer
	d *decode.Decoder
}

// NewJSON returns a printer of JSON lines.
func NewJSON(w io.Writer, d *decode.Decoder) *JSON {
	return &JSON{writer: writer{w: w}, d: d}
}

func (j *JSON) line(v any) {
	enc := json.NewEncoder(&j.added)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // only types made here are encoded
	}
	j.flush()
}

// Attached writes {"type":"attached","probes":331}.
func (j *JSON) Attached(probes int) {
	j.line(struct {
		Type   string `json:"type"`
		Probes int    `json:"probes"`
	}{"attached", probes})
}

// Print writes {"type":"print","data":[…]}.
func (j *JSON) Print(e *object.Event, record []byte) {
	j.line(struct {
		Type string `json:"type"`
		Data []any  `json:"data"`
	}{"print", j.values(e.Split(record))})
}

// Printf writes {"type":"printf","data":"text"}.
func (j *JSON) Printf(e *object.Event, record []byte) {
	j.line(struct {
		Type string `json:"type"`
		Data string `json:"data"`
	}{"printf", printfText(Sprintf(j.d, e.Format, e.Split(record)))})
}

// Lost writes {"type":"lost","events":12,"updates":0}.
func (j *JSON) Lost(events, updates uint64) {
	j.line(struct {
		Type    string `json:"type"`
		Events  uint64 `json:"events"`
		Updates uint64 `json:"updates"`
	}{"lost", events, updates})
}

type jsonRow struct {
	Key   []any `json:"key"`
	Value any   `json:"value"`
}

// Map writes {"type":"map","name":"@x","data":[{"key":[…],"value":…}]}; an
// empty map too.
func (j *JSON) Map(m *object.Map, rows []tracer.Row) {
	data := make([]jsonRow, 0, len(rows))
	for _, r := range sorted(j.d, m, rows) {
		data = append(data, jsonRow{j.values(m.Split(r.Key)), j.value(m, r.Value)})
	}
	j.line(struct {
		Type string    `json:"type"`
		Name string    `json:"name"`
		Data []jsonRow `json:"data"`
	}{"map", m.Name, data})
}

func (j *JSON) values(values []object.Value) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = j.json(v)
	}
	return out
}

func (j *JSON) json(v object.Value) any {
	x := j.d.JSON(v)
	if s, ok := x.(string); ok {
		return validUTF8(s)
	}
	return x
}

func (j *JSON) value(m *object.Map, value []byte) any {
	switch m.Kind {
	case object.KindCount:
		return object.Word(value, 0)
	case object.KindSum:
		return number(m.Value, object.Word(value, 0))
	case object.KindMin, object.KindMax:
		return number(m.Value, uint64(m.Extreme(value)))
	case object.KindAvg:
		return jsonAverage(m, value)
	case object.KindHistogram:
		return jsonHistogram(m, value)
	}
	return j.json(tableValue(m, value))
}

func number(t *plylang.Type, word uint64) any {
	if t.Signed {
		return int64(word)
	}
	return word
}

func jsonAverage(m *object.Map, value []byte) any {
	mean, _ := average(m, value).Float64()
	return struct {
		Count uint64  `json:"count"`
		Sum   any     `json:"sum"`
		Avg   float64 `json:"avg"`
	}{object.Word(value, 1), number(m.Value, object.Word(value, 0)), mean}
}

type jsonBucket struct {
	Min   *int64 `json:"min,omitempty"`
	Max   *int64 `json:"max,omitempty"`
	Count uint64 `json:"count"`
}

// jsonHistogram lists the buckets that are not empty; limits are inclusive.
func jsonHistogram(m *object.Map, value []byte) any {
	sum, counts := m.Histogram(value)
	buckets := []jsonBucket{}
	for i, c := range counts {
		if c == 0 {
			continue
		}
		b := jsonBucket{Count: c}
		lo, hi, hasLo, hasHi := m.Buckets.Range(i)
		if hasLo {
			b.Min = &lo
		}
		if hasHi {
			b.Max = &hi
		}
		buckets = append(buckets, b)
	}
	return struct {
		Count   uint64       `json:"count"`
		Sum     any          `json:"sum"`
		Buckets []jsonBucket `json:"buckets"`
	}{total(counts), number(m.Value, uint64(sum)), buckets}
}
