package property

import (
	"encoding/binary"
	"math/rand"
	"strings"
	"testing"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	archive "ply-exporter/internal/recorded"
	"ply-exporter/plylang"
	"ply-exporter/tracer/decode"
)

// These are the tests of what the other files test with: the generator, the
// evaluator with its types and printf, and what shrinks a script.

// recorded returns a kernel to compile for on any machine.
func recorded(t *testing.T) *kernel.Kernel {
	t.Helper()
	k, err := kernel.Open(archive.Files("7.3-amd64"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The same seed is the same script, and nearly all are well typed.
func TestScript(t *testing.T) {
	const n = 200
	k, compiled := recorded(t), 0
	for s := range int64(n) {
		text := randomScript(s)
		if randomScript(s) != text {
			t.Fatalf("seed %d gives two scripts", s)
		}
		obj, err := compile(k, text)
		if err != nil {
			t.Logf("seed %d: %s", s, plylang.Detail(err))
			continue
		}
		compiled++
		lines, err := evaluateBegin(obj.Script, here())
		if err != nil {
			t.Errorf("seed %d: %v", s, err)
		}
		if len(lines) == 0 && !strings.Contains(text, "exit") && !strings.Contains(text, "delete") {
			t.Errorf("seed %d leaves nothing in its maps\n%s", s, text)
		}
	}
	if compiled < n*95/100 {
		t.Errorf("only %d of %d scripts compile", compiled, n)
	}
}

func TestShrink(t *testing.T) {
	tests := []struct{ text, keep, want string }{
		{"BEGIN { a = 1; @x[2 + 3, \"a\"] = 7 * (4 - a); } BEGIN { @y = 2; }", "@x", "BEGIN { @x[2, \"a\"] = 7; }"},
		{"BEGIN / 1 / { if (1) { unroll (3) { @x++; @y++; } } else @z = 1; }", "@y", "BEGIN { @y++; }"},
		{"BEGIN { @x = log2(5) ? abs(-3) : strlen(\"a\"); @y = 1; }", "strlen", "BEGIN { @x = strlen(\"a\"); }"},
	}
	for _, tt := range tests {
		got := shrink(tt.text, func(s string) bool { return strings.Contains(s, tt.keep) })
		if oneLine(got) != tt.want {
			t.Errorf("%s\nbecomes %s, want %s", tt.text, oneLine(got), tt.want)
		}
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Scripts at random have everything that the language has for BEGIN.
func TestScriptCovers(t *testing.T) {
	all := ""
	for s := range int64(300) {
		all += randomScript(s) + tracedScript(s).text
	}
	for _, want := range []string{
		"if (", "else if (", "} else {", "unroll (", "break;", "continue;", "return;", "exit(", "delete ", " = nil;", "++;", "--;",
		" += ", " -= ", " *= ", " /= ", " %= ", " |= ", " &= ", " ^= ", " <<= ", " >>= ", " && ", " || ", " ^^ ", "(!", "(~", "(-", " ? ",
		".count()", "= count()", "= sum(", "= min(", "= max(", "= avg(", "= quantize(", ".lquantize(", "= llquantize(",
		"(u8)", "(s8)", "(int16_t)", "(unsigned int)", "(s64)", "(size_t)", "10ms", "-9223372036854775808", "0xffffffffffffffff", " in (",
		"strcmp(", "strncmp(", "strlen(", "startswith(", "abs(", "log2(", "sizeof(", "pid", "uid", "comm", "printf(", "clear(",
		" = strlen(", " = log2(", " & 32768) { n1 |= 32768; }", " + n1v19", "n1x >>= 1; if (n1y & 1)",
		"data->fd", "args->offset", "offset()", "arg(2)", "arg0", "retval", "data->ret", "@[probe]", "END\n", "getpgid / tid == $1",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no script has %q", want)
		}
	}
}

// The reference finds the same types as the checker.
func TestTypes(t *testing.T) {
	const n = 2000
	k, unclear := recorded(t), 0
	for s := range int64(n) {
		obj, err := compile(k, randomScript(s))
		if err != nil {
			continue
		}
		_, ambiguous, fault := typesOf(obj.Script)
		if fault != "" {
			t.Errorf("seed %d: %s", s, fault)
		}
		if ambiguous {
			unclear++
		}
	}
	if unclear > n/25 {
		t.Errorf("%d of %d scripts could have other types", unclear, n)
	}
}

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
		got := decode.New(decode.NewMachine(nil), nil, nil).Sprintf(s.String(), []object.Value{{Type: c, Raw: raw}})
		if want := s.convert(v, checkersTyp(c)); got != want {
			t.Fatalf("%s of %#x %q, type %v: %q, want %q", s, v.bits, v.text, checkersTyp(c), got, want)
		}
	}
}
