package report

import (
	"fmt"
	"io"
	"math/big"
	"strings"
	"unicode/utf8"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
	"ply-exporter/tracer/decode"
)

// Text prints for a person.
type Text struct {
	writer
	d      *decode.Decoder
	blocks bool
}

// NewText returns a printer that draws bars with block characters when blocks
// is set, with # otherwise.
func NewText(w io.Writer, d *decode.Decoder, blocks bool) *Text {
	return &Text{writer: writer{w: w}, d: d, blocks: blocks}
}

// Attached says nothing: the command says it on standard error.
func (t *Text) Attached(int) {}

// Lost says nothing: the command says it on standard error.
func (t *Text) Lost(events, updates, missed uint64) {}

// Print writes the values of a print() with commas between them.
func (t *Text) Print(e *object.Event, record []byte) {
	t.line(strings.Join(t.texts(e.Split(record)), ", "))
	t.flush()
}

// Printf writes the text of a printf().
func (t *Text) Printf(e *object.Event, record []byte) {
	t.add(t.d.Sprintf(e.Format, e.Split(record)))
	t.flush()
}

func (t *Text) texts(values []object.Value) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = t.text(v)
	}
	return out
}

// text is one line, or, for a stack, a line for each function between two line
// breaks.
func (t *Text) text(v object.Value) string {
	if v.Type.Kind != plylang.Stack {
		return decode.ForTerminal.Escape(t.d.Text(v))
	}
	functions := t.d.Functions(v)
	for i, f := range functions {
		functions[i] = decode.ForTerminal.Escape(f)
	}
	if len(functions) == 1 {
		return functions[0]
	}
	return "\n\t" + strings.Join(functions, "\n\t") + "\n"
}

// line adds text and ends its line.
func (t *Text) line(text string) { t.add(strings.TrimSuffix(noBlanks.Replace(text), "\n") + "\n") }

// noBlanks leaves none beside a line break.
var noBlanks = strings.NewReplacer(" \n", "\n", "\n ", "\n")

// Final prints a map unless it is empty.
func (t *Text) Final(m *object.Map, rows []tracer.Row) {
	if len(rows) > 0 {
		t.Map(m, rows)
	}
}

// Map prints a map: a blank line, its name, and its rows.
func (t *Text) Map(m *object.Map, rows []tracer.Row) {
	defer t.flush()
	t.add("\n" + m.Name + ":")
	if len(rows) == 0 {
		t.add("\n")
		return
	}
	rows = sorted(t.d, m, merged(m, rows, func(key []byte) string { return t.key(m, key) }))
	switch {
	case m.Shape == object.ShapeHistogram:
		t.histograms(m, rows)
	case m.KeySize == 0:
		t.line(" " + t.value(m, rows[0].Value))
	default:
		t.columns(m, rows)
	}
}

// columns prints keys to the left and values to the right.
func (t *Text) columns(m *object.Map, rows []tracer.Row) {
	keys, values := make([]string, len(rows)), make([]string, len(rows))
	wide, wideValue := 0, 0
	for i, r := range rows {
		keys[i], values[i] = t.key(m, r.Key), t.value(m, r.Value)
		wide = max(wide, width(keys[i]))
		wideValue = max(wideValue, width(values[i]))
	}
	wide = max(wide, 14)
	wideValue = max(wideValue, 8)
	t.add("\n")
	for i := range rows {
		if strings.HasPrefix(values[i], "\n") {
			t.add(keys[i] + values[i])
			continue
		}
		t.add(pad(keys[i], wide) + "  " + padLeft(values[i], wideValue) + "\n")
	}
}

// width is that of the last line of s.
func width(s string) int { return utf8.RuneCountInString(s[strings.LastIndexByte(s, '\n')+1:]) }

func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-width(s)))
}

func padLeft(s string, n int) string {
	return strings.Repeat(" ", max(0, n-width(s))) + s
}

func (t *Text) key(m *object.Map, key []byte) string {
	parts := t.texts(m.Split(key))
	if len(parts) == 1 {
		return strings.TrimPrefix(parts[0], "\n")
	}
	return noBlanks.Replace("[ " + strings.Join(parts, ", ") + " ]")
}

// value returns the text of one value of m, which is not a histogram.
func (t *Text) value(m *object.Map, value []byte) string {
	switch r := m.Read(value); r.Shape {
	case object.ShapeNumber:
		return numberText(m.Value, r.Number)
	case object.ShapeMean:
		return meanText(m.Value, r)
	case object.ShapeRaw:
		return t.text(r.Raw)
	default:
		panic(fmt.Sprintf("report: no text of shape %d", r.Shape))
	}
}

// numberText shows a computed number, with the unit of typ when it has one.
func numberText(typ *plylang.Type, n object.Number) string {
	if typ != nil && typ.Unit != plylang.Plain && typ.Display == plylang.DisplayTime {
		return durationText(n.Big())
	}
	return n.String()
}

// durationText is a number of nanoseconds of any size with its unit.
func durationText(ns *big.Int) string {
	if ns.IsInt64() {
		return decode.Scaled(ns.Int64())
	}
	return new(big.Int).Quo(ns, big.NewInt(1e9)).String() + "s"
}

func meanText(typ *plylang.Type, r object.Reading) string {
	avg := mean(r)
	if typ.Unit == plylang.Duration {
		return durationText(new(big.Int).Quo(avg.Num(), avg.Denom()))
	}
	s := avg.FloatString(2)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
