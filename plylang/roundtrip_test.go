package plylang

import (
	"os"
	"strings"
	"testing"
)

// TestRoundTrip parses, prints and formats each script and compares the trees.
func TestRoundTrip(t *testing.T) {
	for _, text := range append(exampleScripts(t), roundTrips...) {
		script, err := Parse(&Source{Text: text})
		if err != nil {
			t.Errorf("%s", Detail(err))
			continue
		}
		checkRoundTrip(t, script)
		checkFormat(t, script)
	}
}

// exampleScripts returns the language's own examples, verbatim: the three
// programs of the original page and the table of spellings.
func exampleScripts(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/examples.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n---\n")
}

// body makes a script of statements.
func body(stmts string) string { return "BEGIN { " + stmts + " }" }

// TestSpellings compares the spellings that mean the same.
func TestSpellings(t *testing.T) {
	for _, row := range spellingRows {
		want := normalTree(t, row[0])
		for _, other := range row[1:] {
			if got := normalTree(t, other); !equal(want, got) {
				t.Errorf("%s\nis %s\nand not %s", other, got, want)
			}
		}
	}
}

// normalTree parses a script and gives all its maps the same sigil, which is
// part of a map's name and all that may differ between the spellings.
func normalTree(t *testing.T, text string) *Script {
	t.Helper()
	script, err := Parse(&Source{Text: text})
	if err != nil {
		t.Fatalf("%s", Detail(err))
	}
	Inspect(script, func(x Expr) {
		if m, ok := x.(*MapRef); ok {
			m.Name = "@" + strings.TrimLeft(m.Name, "@$")
		}
	})
	return script
}

// spellingRows holds rows of scripts: today's spelling, then older ones and
// abbreviations of it.
var spellingRows = [][]string{
	{
		"kprobe:SyS_* { @syscalls[func] = count(); }",
		"kprobe:SyS_* { $syscalls[func].count() }",
		"kprobe:SyS_* { @syscalls[func()].count() }",
		"kprobe:SyS_* @syscalls[func] = count()",
		"kprobe:SyS_*\n@syscalls[func()].count();",
	},
	{
		"kprobe:SyS_read { @sizes = quantize(arg2); }",
		"kprobe:SyS_read { $sizes.quantize(arg(2)) }",
		"kprobe:SyS_read { @sizes.quantize(arg(2)) }",
		"kprobe:SyS_read{@sizes.quantize(arg(0x2));}",
	},
	{
		"kprobe:f { rx[arg0] = nsecs; delete rx[arg0]; }",
		"kprobe:f { $rx[arg(0)] = nsecs; $rx[arg(0)] = nil; }",
		"kprobe:f { @rx[arg(0)] = nsecs(); @rx[arg(0)] = nil }",
	},
	{
		"kprobe:a { @rx[arg0] = nsecs; }\n" +
			"kprobe:b / @rx[arg0] / { @t = quantize(nsecs - @rx[arg0]); delete @rx[arg0]; }",
		"kprobe:a { $rx[arg(0)] = nsecs; }\n" +
			"kprobe:b / $rx[arg(0)] / { $t.quantize(nsecs - $rx[arg(0)]); $rx[arg(0)] = nil; }",
		"kprobe:a { @rx[arg(0)] = nsecs() }\n" +
			"kprobe:b /@rx[arg(0)]/ { @t.quantize(nsecs() - @rx[arg(0)]); @rx[arg(0)] = nil }",
	},
	{body("@[comm, pid] = sum(retval);"), body("@[comm(), pid()].sum(retval())")},
	{body("@x[comm, pid] = sum(retval);"), body("$x[comm(), pid()].sum(retval())"), body("@x[comm, pid].sum(retval)")},
	{body("@x = count();"), body("@x.count()"), body("@x.count();;")},
	{body("@x++; y--;"), body("++@x; --y"), body("@x++\n;y--")},
	{body("if (x) { y = 1; } else { y = 2; }"), body("if (x) y = 1; else y = 2"), body("if (x) y = 1 else y = 2;")},
	{body("delete @x[1, 2]; delete @y;"), body("@x[1, 2] = nil; @y = nil"), body("delete (@x[1, 2]); delete(@y)")},
	{"tracepoint:sched/sched_switch { @[probe] = count(); }", "tracepoint:sched/sched_switch"},
	{body("x = (a + b) * c - (d ? 1 : 2);"), body("x=((a+b)*c)-((d)?(1):(2))")},
	{body("x = 4096; y = 1000000ns; z = 255;"), body("x = 4k; y = 1ms; z = 0xff"), body("x = 0x1000; y = 1_000us; z = 0377")},
}
