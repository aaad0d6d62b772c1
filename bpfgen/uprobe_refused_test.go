package bpfgen_test

import (
	"path/filepath"
	"strings"
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

// What cannot be had of a function's parameters and its result is refused where it is
// asked for, with the reason.
func TestParametersRefused(t *testing.T) {
	k, err := kernel.Open(recorded.Files("6.18-amd64"))
	if err != nil {
		t.Fatal(err)
	}
	const optimized, plain = "parameters-O2-dwarf5.so", "parameters-O0-dwarf4.so"
	const shared, lines, numbers, linked = "parameters-O2-dwz", "lines", "numbers.so", "linked.so"
	for _, row := range []struct{ file, script, want string }{
		{optimized, "u:LIB:structs\n{ @[args->p] = count(); }", "script:2:11: p of function structs is struct pair by value, and no pointer to it"},
		{optimized, "u:LIB:structs\n{ @[args->g.v[1]] = count(); }", "script:2:11: g of function structs is struct big by value, and no pointer to it"},
		{optimized, "u:LIB:floats\n{ @[args->d] = count(); }", "script:2:11: d of function floats is in a register for vectors and floating-point numbers, which the kernel does not show"},
		{plain, "u:LIB:simple\n{ @[args->eighth] = count(); }", "script:2:11: eighth of function simple is stored to memory only after the first instructions"},
		{optimized, "u:LIB:simple\n{ @[args->eigth] = count(); }", `script:2:11: function simple has no member "eigth"; did you mean "eighth"?`},
		{optimized, "u:LIB:@(simple|yes)\n{ @[args->n] = count(); }", `script:2:11: function yes has no member "n"; it has x`},
		{optimized, "u:LIB:walk\n{ @[args->n->f] = count(); }", "script:2:14: f of struct node is a floating-point number (float), which has no type in the language"},
		{optimized, "u:LIB:walk\n{ @[args->n->nam] = count(); }", `script:2:14: struct node has no member "nam"; did you mean "name"?`},
		{optimized, "u:LIB:walk\n{ @[args->n->o->x] = count(); }", "script:2:17: the members of struct opaque are not known where the function is: its debug information only says that there is such a type"},
		{optimized, "u:LIB:simple+3\n{ @[args->n] = count(); }", `script:2:5: args are those of a function when it begins: leave out the offset in "simple+3"`},
		{optimized, "ur:LIB:none\n{ @[retval] = count(); }", "script:2:5: function none returns nothing"},
		{optimized, "ur:LIB:floats\n{ @[retval] = count(); }", "script:2:5: function floats returns double, which is not in the register of results"},
		{linked, "u:LIB:late\n{ @[args->p, args->used, str(args->text)] = count(); }", ""},
		{linked, "u:LIB:without\n{ @[args->p] = count(); }", `script:2:11: function without has no member "p"`},
		{numbers, "ur:LIB:turned\n{ @[retval] = count(); }", "script:2:5: function turned returns complex double, which is not in the register of results"},
		{numbers, "ur:LIB:price\n{ @[retval] = count(); }", "script:2:5: function price returns _Decimal64, which is not in the register of results"},
		{numbers, "u:LIB:@(turned|price)\n{ @[args->n] = count(); }", ""},
		{numbers, "u:LIB:port\n{ @[args->w->port] = count(); }", "script:2:14: port of struct wire is of the type big-endian short unsigned int, which is none of the language"},
		{numbers, "u:LIB:port\n{ @[args->w->sum] = count(); }", "script:2:14: sum of struct wire is of the type big-endian int, which is none of the language"},
		{optimized, "u:LIB:walk\n{ @[exists(args->nobody), exists(args->n)] = count(); }", ""},
		{optimized, "ur:LIB:none\n{ @ = count(); }", ""},
		{optimized, "u:LIB:simple\n{ @[args] = count(); }", "script:2:5: args is no value: write args->a, or another of its members"},
		{optimized, "u:LIB:walk\n{ x = args; @[x->n] = count(); }", "script:2:7: args is no value: write args->n, or another of its members"},
		{optimized, "u:LIB:none\n/ args / { @ = count(); }", "script:2:3: args is no value, and function none has no members that are"},
		{optimized, "u:LIB:walk\n{ @[exists(args), exists(args->n)] = count(); }", ""},
		{lines, "u:LIB:simple\n{ @[args->n] = count(); }", "script:2:5: LIB: no debug information of the parameters of the function at 0x450: there are lines only, as with -g1; compile it with -g"},
		{lines, "ur:LIB:simple\n{ @[retval] = count(); }", ""},
		{shared, "u:LIB:simple\n{ @[args->n] = count(); }", "script:2:11: n of function simple has a type that is in shared.debug, a file that programs of a package share (dwz) and which is not there: install all of the package with debug symbols"},
		{shared, "u:LIB:simple\n{ @[args->eighth] = count(); }", `script:2:11: function simple has no "eighth" but parameters whose names are in shared.debug, a file that programs of a package share (dwz) and which is not there: install all of the package with debug symbols`},
		{shared, "ur:LIB:simple\n{ @[retval] = count(); }", ""},
	} {
		lib, err := filepath.Abs("elf/testdata/" + row.file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(row.script, "LIB", lib, 1)
		_, err = bpfgen.Build(&plylang.Source{Text: text}, k, bpfgen.Options{Run: true}, nil)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if want := strings.Replace(row.want, "LIB", lib, 1); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", row.script, got, want)
		}
	}
}
