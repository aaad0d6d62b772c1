package property

import (
	"strings"
	"testing"

	"ply-exporter/bpfgen/kernel"
	archive "ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

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
		text := Script(s)
		if Script(s) != text {
			t.Fatalf("seed %d gives two scripts", s)
		}
		obj, err := compile(k, text)
		if err != nil {
			t.Logf("seed %d: %s", s, plylang.Detail(err))
			continue
		}
		compiled++
		lines, err := Evaluate(obj.Script, here())
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
		got := Shrink(tt.text, func(s string) bool { return strings.Contains(s, tt.keep) })
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
		all += Script(s) + Traced(s).text
	}
	for _, want := range []string{
		"if (", "else if (", "} else {", "unroll (", "break;", "continue;", "return;", "exit(", "delete ", " = nil;", "++;", "--;",
		" += ", " -= ", " *= ", " /= ", " %= ", " |= ", " &= ", " ^= ", " <<= ", " >>= ", " && ", " || ", " ^^ ", "(!", "(~", "(-", " ? ",
		".count()", "= count()", "= sum(", "= min(", "= max(", "= avg(", "= quantize(", ".lquantize(", "= llquantize(",
		"(u8)", "(s8)", "(int16_t)", "(unsigned int)", "(s64)", "(size_t)", "10ms", "-9223372036854775808", "0xffffffffffffffff",
		"strcmp(", "strncmp(", "strlen(", "startswith(", "abs(", "log2(", "sizeof(", "pid", "uid", "comm", "printf(",
		"data->fd", "args->offset", "offset()", "arg(2)", "arg0", "retval", "data->ret", "@[probe]", "END\n", "getpgid / tid == $1",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no script has %q", want)
		}
	}
}
