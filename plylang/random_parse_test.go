package plylang

import (
	"math/rand"
	"testing"
)

// TestRandomScripts prints and formats scripts made at random, with blanks and
// comments wherever they are allowed. Many do not parse, mostly for what they
// assign to; those that do must survive.
func TestRandomScripts(t *testing.T) {
	const scripts = 8_000
	r := randomScript{rand.New(rand.NewSource(1))}
	parsed := 0
	for range scripts {
		script, err := Parse(&Source{Text: r.script()})
		if err != nil {
			continue
		}
		parsed++
		checkRoundTrip(t, script)
		checkFormat(t, script)
	}
	if parsed < scripts/5 {
		t.Errorf("only %d of %d scripts parse", parsed, scripts)
	}
}

// A randomScript writes text that looks like the language.
type randomScript struct{ *rand.Rand }

func (r randomScript) pick(list ...string) string { return list[r.Intn(len(list))] }

func (r randomScript) blank() string {
	return r.pick("", "", " ", "\n", "\n\n", "/*c*/", " # line\n ", "\n// own\n", "/*a\nb*/")
}

func (r randomScript) script() string {
	text := "kprobe:a " + r.blank() + r.pick("", "", "", "? kprobe:b ", "? ", "? t:c/d? "+r.blank()+"? ", ", kprobe:b ? , ") + r.blank()
	if r.Intn(3) == 0 {
		text += "/ " + r.expr(3) + r.blank() + " / "
	}
	return text + "{" + r.stmt(3) + r.blank() + r.stmt(2) + "}" + r.blank() + "\nBEGIN " + r.stmt(2)
}

func (r randomScript) stmt(depth int) string {
	x := r.expr(r.Intn(4))
	b := r.blank()
	if depth == 0 {
		return b + x + ";" + r.blank()
	}
	switch r.Intn(12) {
	case 0:
		return "if (" + x + b + ") " + r.stmt(depth-1) + r.blank()
	case 1:
		return "if (" + x + ") " + r.stmt(depth-1) + b + " else " + r.blank() + r.stmt(depth-1)
	case 2:
		return "{" + b + r.stmt(depth-1) + r.stmt(depth-1) + "}" + r.blank()
	case 3:
		return "unroll (3) {" + r.stmt(depth-1) + b + "break;}" + r.blank()
	case 4:
		return r.target() + b + r.pick("=", "+=", ">>=") + b + x + ";" + r.blank()
	case 5:
		return x + " = " + r.blank() + r.pick("nil", "1") + ";" + b
	case 6:
		return "delete " + b + r.target() + ";"
	case 7:
		return r.target() + b + ".quantize(" + x + ");" + r.blank()
	case 8:
		return r.target() + b + r.pick("++", "--") + ";"
	}
	return b + x + ";" + r.blank()
}

func (r randomScript) target() string {
	return r.pick("@", "@m", "$y", "x", "rx[1]", "@m["+r.expr(1)+", pid]")
}

func (r randomScript) expr(depth int) string {
	if depth <= 0 {
		return r.pick("x", "u32", "if", "else", "@", "@m", "$y", "$1", "5", "-5", "10ms", "0x1f", `"s"`,
			"comm()", "arg(1)", "exists(kprobe:a)", "exists(struct a.b )", "exists(data->"+r.blank()+"x.y)", "count()", "rx[1]", "@m[1, x]", "delete", "foo_t", "in", "in[1]")
	}
	x := r.expr(depth - 1 - r.Intn(2))
	y := r.expr(depth - 1 - r.Intn(2))
	b := r.blank()
	switch r.Intn(17) {
	case 0:
		return "(" + x + ")" + b
	case 1:
		return r.pick("-", "- ", "!", "~", "*") + b + x
	case 2, 3:
		return "(" + r.pick("u32", "foo", "struct a *", "x", "const foo", "char **", "n_t", "if") + ")" + b + x
	case 4:
		return x + " ? " + y + " : " + b + r.expr(depth-1)
	case 5:
		return x + r.pick(".a", ".if", "->b", " . /**/ c")
	case 6:
		return x + "[" + y + "]"
	case 7:
		return "[" + x + ", " + b + y + "]"
	case 8:
		return r.pick("f", "arg", "if", "sum") + "(" + x + "," + b + y + ")"
	case 15:
		return x + " in" + b + r.pick("(1, "+y+")", "("+x+")", `"a*"`, " (-5,"+b+"in)")
	case 9:
		return "@m[" + x + "," + y + "]"
	}
	return x + " " + b + r.pick("+", "-", "*", "/", "%", "&&", "||", "^^", "|", "&", "^", "==", "!=",
		"<", ">", "<=", ">=", "<<", ">>") + " " + y
}
