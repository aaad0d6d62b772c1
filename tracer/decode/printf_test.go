package decode

import (
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Each row's text is what C's printf writes for the value in its own type.
func TestSprintf(t *testing.T) {
	str := plylang.StringType(8)
	for _, row := range []struct {
		format string
		typ    *plylang.Type
		raw    []byte
		want   string
	}{
		{"%d", plylang.S64, word(-1), "-1"},
		{"%d", plylang.U64, word(-1), "18446744073709551615"},
		{"%d", plylang.U32, word(-1), "4294967295"},
		{"%i|", plylang.S32, word(-7), "-7|"},
		{"%hhd", plylang.S64, word(1000), "1000"},
		{"%5d|", plylang.S64, word(42), "   42|"},
		{"%-5d|", plylang.S64, word(42), "42   |"},
		{"%05d|", plylang.S64, word(-42), "-0042|"},
		{"%+d % d", plylang.S64, word(42), "+42 "},
		{"%.4d", plylang.S64, word(42), "0042"},
		{"%6.4d|", plylang.S64, word(42), "  0042|"},
		{"%u", plylang.S32, word(-1), "4294967295"},
		{"%x", plylang.S32, word(-1), "ffffffff"},
		{"%x", plylang.S64, word(-1), "ffffffffffffffff"},
		{"%#x", plylang.U8, word(0xabcd), "0xcd"},
		{"%#x", plylang.U64, word(0), "0"},
		{"%#010x", plylang.U8, word(255), "0x000000ff"},
		{"%+x % o", plylang.S64, word(10), "a "},
		{"%#08x|%%", plylang.U8, word(255), "0x0000ff|%"},
		{"%+x", plylang.U8, word(255), "ff"},
		{"% .0d|", plylang.S64, word(0), " |"},
		{"%#010o", plylang.S64, word(2), "0000000002"},
		{"%.2s|", str, chars("a\xffb", 8), `a\xff|`},
		{"%X", plylang.U16, word(0xbeef), "BEEF"},
		{"%#o", plylang.U64, word(8), "010"},
		{"%c", plylang.S64, word('A'), "A"},
		{"%3c|", plylang.S64, word('A'), "  A|"},
		{"%s", str, chars("dd", 8), "dd"},
		{"%-5s|", str, chars("dd", 8), "dd   |"},
		{"%.1s|", str, chars("dd", 8), "d|"},
		{"%s", str, chars("a\x1b[2J\n", 8), `a\x1b[2J` + "\n"},
		{"%s", str, chars("\u009b2J\u007f", 8), `\xc2\x9b2J\x7f`}, // a terminal's order in one character
		{"%s", str, chars(`a\xff`, 8), `a\\xff`},
		{"%s", str, chars("a\xff", 8), `a\xff`},
		{"%s", str, chars(`C:\dir`, 8), `C:\dir`},
		{"%p", plylang.U64, word(0xff), "0xff"},
		{"%f", plylang.S64, word(-3), "-3.000000"},
		{"%.1e", plylang.S64, word(12345), "1.2e+04"},
		{"%g", plylang.S64, word(100000), "100000"},
		{"%g", plylang.S64, word(1000000), "1e+06"},
		{"%a", plylang.S64, word(1), "0x1p+0"},
		{"%+a|% a|", plylang.S64, word(10), "+0x1.4p+3||"},
		{"% a", plylang.S64, word(10), " 0x1.4p+3"},
		{"%#a", plylang.S64, word(1), "0x1.p+0"},
		{"%#.0A", plylang.S64, word(-10), "-0X1.P+3"},
		{"%012a", plylang.S64, word(-3), "-0x0001.8p+1"},
		{"%+012.2a", plylang.S64, word(255), "+0x001.fep+7"},
		{"% 014A", plylang.S64, word(255), " 0X00001.FEP+7"},
		{"%-12a|", plylang.S64, word(0), "0x0p+0      |"},
		{"%+-14a|", plylang.S64, word(1000000000000000000), "+0x1.bc16d674ec8p+59|"},
		{"%a", plylang.U64, word(-1), "0x1p+64"},
		{"%+.0d", plylang.S64, word(0), "+"},
		{"%+.0d|", plylang.S64, word(0), "+|"},
		{"%5.0d|", plylang.S64, word(0), "     |"},
		{"%+5.0d|", plylang.S64, word(0), "    +|"},
		{"%v", plylang.DurationT, word(1024), "1.02us"},
		{"%8v|", plylang.DurationT, word(512), "   512ns|"},
		{"%d%%", plylang.DurationT, word(1024), "1024%"},
	} {
		values := []object.Value{{Type: row.typ, Raw: row.raw}}
		if got := New(NewMachine(nil), nil, nil).Sprintf(row.format, values); got != row.want {
			t.Errorf("%s of %+v: %q, want %q", row.format, *row.typ, got, row.want)
		}
	}
}

func chars(s string, size int) []byte { return append([]byte(s), make([]byte, size-len(s))...) }
