package property

import (
	"encoding/binary"
	"math/rand"
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
	"ply-exporter/report"
	"ply-exporter/tracer/decode"
)

// Each row is what C's printf writes for a value of that type.
func TestFormatC(t *testing.T) {
	for _, tt := range []struct {
		format string
		bits   int64
		t      typ
		want   string
	}{
		{"%d|%5d", -7, signedTyp, "-7|   -7"},
		{"%u|%x", -1, typ{size: 1}, "255|ff"},
		{"%#08x|%-#8x|", 255, signedTyp, "0x0000ff|0xff    |"},
		{"%+d|% d|%+x", 5, signedTyp, "+5| 5|5"},
		{"%#o|%#.4o|%#.0o", 8, signedTyp, "010|0010|010"},
		{"%.0d|%#.0o|%#x", 0, signedTyp, "|0|0"},
		{"%08.3d|%-08d|", 42, signedTyp, "     042|42      |"},
		{"%#X|%p", 255, signedTyp, "0XFF|0xff"},
		{"%v|%8v|", 1024, typ{duration: true, size: 8}, "1.02us|  1.02us|"},
		{"%v", -35_120_000, typ{duration: true, size: 8}, "-35.1ms"},
		{"%v", 3600e9, typ{duration: true, size: 8}, "3600s"},
		{"%f|%09.1f|%.0e", -12, signedTyp, "-12.000000|-000012.0|-1e+01"},
	} {
		n := 0
		for _, r := range tt.format {
			if r == '%' {
				n++
			}
		}
		values, types := make([]value, n), make([]typ, n)
		for i := range values {
			values[i], types[i] = value{bits: uint64(tt.bits)}, tt.t
		}
		if got := formatC(tt.format, values, types); got != tt.want {
			t.Errorf("%s of %d: %q, want %q", tt.format, tt.bits, got, tt.want)
		}
	}
}

// What "run" prints is what C would, for conversions at random.
func TestPrintf(t *testing.T) {
	g := &generator{Rand: rand.New(rand.NewSource(1))}
	types := []*plylang.Type{plylang.U8, plylang.S8, plylang.U16, plylang.S16, plylang.U32, plylang.S32, plylang.U64, plylang.S64, plylang.DurationT}
	texts := []string{"", "a", "ab\xffc", "é", "\x01x", "a longer text"}
	for range 20000 {
		s := g.conversion()
		var v value
		var c *plylang.Type
		raw := make([]byte, 16)
		if s.verb == 's' {
			v, c = value{text: texts[g.Intn(len(texts))], isText: true}, plylang.StringType(16)
			copy(raw, v.text)
		} else {
			c = types[g.Intn(len(types))]
			binary.LittleEndian.PutUint64(raw, operandBits[g.Intn(len(operandBits))])
			v.bits = uint64(object.ReadInt(c, raw))
		}
		got := report.Sprintf(decode.New(nil, nil, nil), s.String(), []object.Value{{Type: c, Raw: raw}})
		if want := s.convert(v, checkersTyp(c)); got != want {
			t.Fatalf("%s of %#x %q, type %v: %q, want %q", s, v.bits, v.text, checkersTyp(c), got, want)
		}
	}
}
