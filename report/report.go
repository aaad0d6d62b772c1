// Package report prints what a run found: maps, events and losses, for a
// person at a terminal or as JSON for another program.
package report

import (
	"bytes"
	"io"
	"sort"

	"ply-exporter/bpfgen/object"
	"ply-exporter/tracer"
	"ply-exporter/tracer/decode"
)

// A Printer shows a run. Its first failure to write is kept and returned by
// Err; after it nothing is written. It is not safe for concurrent use.
type Printer interface {
	Attached(probes int)
	Print(e *object.Event, record []byte)
	Printf(e *object.Event, record []byte)
	Map(m *object.Map, rows []tracer.Row)
	Final(m *object.Map, rows []tracer.Row) // as Map, at the end of the run
	Lost(events, updates, missed uint64)
	Err() error
}

// writer writes what was added in one piece, so that others who write to the
// same terminal, as a command of -c does, tear no line of it. It keeps the
// first error.
type writer struct {
	w     io.Writer
	added bytes.Buffer
	err   error
}

func (w *writer) add(s string) { w.added.WriteString(s) }

func (w *writer) flush() {
	if w.err == nil && w.added.Len() > 0 {
		_, w.err = w.w.Write(w.added.Bytes())
	}
	w.added.Reset()
}

// Err returns the first failure to write.
func (w *writer) Err() error { return w.err }

// sorted orders rows by value and then by key, ascending.
func sorted(d *decode.Decoder, m *object.Map, rows []tracer.Row) []tracer.Row {
	out := append([]tracer.Row(nil), rows...)
	sort.SliceStable(out, func(i, j int) bool {
		if c := compareValues(m, out[i].Value, out[j].Value); c != 0 {
			return c < 0
		}
		return compareKeys(d, m.Split(out[i].Key), m.Split(out[j].Key)) < 0
	})
	return out
}
