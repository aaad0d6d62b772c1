package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/big"

	"ply-exporter/bpfgen/object"
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
	j.added.Write(encoded(v))
	j.flush()
}

// encoded is v as a line.
func encoded(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // only types made here are encoded
	}
	return b.Bytes()
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
	}{"printf", decode.ForFormatted.Escape(j.d.Sprintf(e.Format, e.Split(record)))})
}

// Lost writes {"type":"lost","events":12,"updates":0,"missed":0}.
func (j *JSON) Lost(events, updates, missed uint64) {
	j.line(struct {
		Type    string `json:"type"`
		Events  uint64 `json:"events"`
		Updates uint64 `json:"updates"`
		Missed  uint64 `json:"missed"`
	}{"lost", events, updates, missed})
}

type jsonRow struct {
	Key   []any `json:"key"`
	Value any   `json:"value"`
}

// Final writes the same as Map.
func (j *JSON) Final(m *object.Map, rows []tracer.Row) { j.Map(m, rows) }

// Map writes {"type":"map","name":"@x","data":[{"key":[…],"value":…}]}; an
// empty map too.
func (j *JSON) Map(m *object.Map, rows []tracer.Row) {
	data := make([]jsonRow, 0, len(rows))
	rows = merged(m, rows, func(key []byte) string { return string(encoded(j.values(m.Split(key)))) })
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
		return decode.ForJSON.Escape(s)
	}
	return x
}

func (j *JSON) value(m *object.Map, value []byte) any {
	switch r := m.Read(value); r.Shape {
	case object.ShapeNumber:
		return exact(r.Number)
	case object.ShapeMean:
		return jsonMean(r)
	case object.ShapeHistogram:
		return jsonHistogram(r)
	case object.ShapeRaw:
		return j.json(r.Raw)
	default:
		panic(fmt.Sprintf("report: no shape %d", r.Shape))
	}
}

// exact is a number as encoding/json writes it without loss.
func exact(n object.Number) any {
	if n.Wide != nil {
		return n.Wide
	}
	if n.Signed {
		return n.Int()
	}
	return n.Bits
}

func jsonMean(r object.Reading) any {
	avg, _ := mean(r).Float64()
	return struct {
		Count uint64  `json:"count"`
		Sum   any     `json:"sum"`
		Avg   float64 `json:"avg"`
	}{r.Count, exact(r.Number), avg}
}

type jsonBucket struct {
	Min   *big.Int `json:"min,omitempty"`
	Max   *big.Int `json:"max,omitempty"`
	Count uint64   `json:"count"`
}

// jsonHistogram lists the buckets that are not empty; limits are inclusive.
func jsonHistogram(r object.Reading) any {
	buckets := []jsonBucket{}
	for i := range r.Buckets.Len() {
		b := jsonBucket{Count: r.In(i)}
		if b.Count == 0 {
			continue
		}
		b.Min, b.Max = r.Buckets.Range(i)
		buckets = append(buckets, b)
	}
	return struct {
		Count   uint64       `json:"count"`
		Sum     any          `json:"sum"`
		Buckets []jsonBucket `json:"buckets"`
	}{r.Count, exact(r.Number), buckets}
}
