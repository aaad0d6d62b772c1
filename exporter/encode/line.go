package encode

import (
	"bufio"
	"math"
	"strconv"
	"strings"
)

// A line is what one kind of line of a family has besides labels and number:
// name{labels,more} number.
type line struct {
	name string
	more string // a last label: le="0.5"
}

// bucketLines are those of a histogram's buckets, in the order of their bounds.
func bucketLines(name string, bounds []float64, number func([]byte, float64) []byte) []line {
	lines := make([]line, len(bounds)+1)
	for i := range lines {
		le := math.Inf(1)
		if i < len(bounds) {
			le = bounds[i]
		}
		lines[i] = line{name + "_bucket", string(append(number([]byte(`le="`), le), '"'))}
	}
	return lines
}

// begin appends all that is before the number.
func (l line) begin(b []byte, labels []byte) []byte {
	b = append(b, l.name...)
	if len(labels) == 0 && l.more == "" {
		return append(b, ' ')
	}
	b = append(append(b, '{'), labels...)
	if len(labels) > 0 && l.more != "" {
		b = append(b, ',')
	}
	return append(append(b, l.more...), "} "...)
}

// put writes a line whose number is appended by number.
func put[N float64 | uint64](w *bufio.Writer, l line, labels []byte, number func([]byte, N) []byte, n N) {
	b := number(l.begin(room(w, len(labels)), labels), n)
	_, _ = w.Write(append(b, '\n'))
}

// room returns the free part of the writer's buffer, after flushing it if a line
// with labels of that size may not fit.
func room(w *bufio.Writer, labels int) []byte {
	const others = 512 // names and numbers
	if w.Available() < labels+others {
		_ = w.Flush()
	}
	return w.AvailableBuffer()
}

// head writes the comments of a family.
func head(w *bufio.Writer, name, help, typ string) {
	for _, s := range []string{"# HELP ", name, " ", help, "\n# TYPE ", name, " ", typ, "\n"} {
		_, _ = w.WriteString(s)
	}
}

var (
	escapeHelp       = strings.NewReplacer("\\", `\\`, "\n", `\n`)
	escapeHelpQuotes = strings.NewReplacer("\\", `\\`, "\n", `\n`, `"`, `\"`)
)

// appendFloat appends a number with the digits that it needs.
func appendFloat(b []byte, f float64) []byte {
	const million = 1e6 // from here on the exponent is written
	if n := int64(f); -million < f && f < million && float64(n) == f {
		return strconv.AppendInt(b, n, 10)
	}
	return appendSpecial(b, f)
}

func appendSpecial(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "+Inf"...)
	case math.IsInf(f, -1):
		return append(b, "-Inf"...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

// appendPoint appends a number that always shows that it is a float.
func appendPoint(b []byte, f float64) []byte {
	start := len(b)
	b = appendFloat(b, f)
	if strings.ContainsAny(string(b[start:]), ".eNI") {
		return b
	}
	return append(b, ".0"...)
}

// appendCount appends a count as the text format has it: a float.
func appendCount(b []byte, n uint64) []byte { return appendFloat(b, float64(n)) }

// appendUint appends a count as OpenMetrics has it.
func appendUint(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }
