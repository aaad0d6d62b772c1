package plylang

import (
	"strings"
	"testing"
)

// TestForeignWords: each word of the table is answered with what it says,
// where the word is.
func TestForeignWords(t *testing.T) {
	for word, hint := range foreignWords {
		text := "BEGIN { @ = " + word + "; }"
		if nameLen(word) < len(word) {
			text = "BEGIN { @ = 5 " + word + " comm; }"
		}
		script, err := Parse(&Source{Text: text})
		if err == nil {
			err = Check(script, newFakeEnv())
		}
		list, _ := err.(ErrorList)
		if word == "&" { // an operator, but for what C makes of it in front of a name
			continue
		}
		if len(list) != 1 || list[0].Msg != "there is no \""+word+"\": "+hint || !strings.HasSuffix(Detail(err), "^") {
			t.Errorf("%s gives\n%v\nwant %s", text, err, hint)
		}
	}
}

// TestForeignStatements: such words, and the habits that go with them, as they
// are in scripts of other languages.
func TestForeignStatements(t *testing.T) {
	for _, row := range []struct{ body, want string }{
		{`print "hello", comm`, "9: the arguments of print are written in parentheses: write print(...)"},
		{`printf "%d\n", pid`, "9: the arguments of printf are written in parentheses: write printf(...)"},
		{`print $0`, "9: the arguments of print are written in parentheses: write print(...)"},
		{`let $x = 1`, `9: there is no "let": a variable is made by storing in it: write x = 1`},
		{`struct task_struct *t = curtask`, `9: there is no "struct": ` + foreignWords["struct"]},
		{`char *x = comm`, `14: types are inferred: leave "char *" out`},
		{`x := 1`, `11: there is no ":=": write =`},
		{`@ = pid <> 1`, `18: there is no "<>": write !=`},
		{`@ = pid and tid`, `17: there is no "and": write &&`},
		{`@ = not pid`, `13: there is no "not": write !`},
		{`@ = &pid`, `13: there is no "&": ` + foreignWords["&"]},
		{`if (comm ~ "x") { @ = 1; }`, `18: there is no "~": ` + noPatterns},
		{`if (comm =~ "x") { @ = 1; }`, `18: there is no "=~": ` + noPatterns},
		{`if ("x" in @a) { @a = 1; }`, `17: "in" takes constants, as in x in (1, 2): ` + missingKey},
		{`if (pid == 1) then @ = 1`, `23: there is no "then": leave it out: write if (x) { ... }`},
		{`if (pid) { @ = 1; } elif (tid) { @ = 2; }`, `29: there is no "elif": write else if (x) { ... }`},
		{`for (k in @a) print(k)`, `9: there is no "for": a map cannot be walked, but print(@x) prints it; to repeat something, use unroll (8) { ... }`},
		{`for ($kv : @x) { print($kv); }`, `9: there is no "for": a map cannot be walked, but print(@x) prints it; to repeat something, use unroll (8) { ... }`},
		{`self->ts = nsecs`, `9: there is no "self": what a thread keeps is a map with its id as key: write @x[tid]`},
		{`this->x = 1`, `9: there is no "this": a variable of the probe needs no "this->": write x`},
		{`@a = (1, 2)`, "16: several values in parentheses: only the key of a map has several, as in @x[a, b]"},
		{`@x[1] = 1; delete(@x, 1)`, "29: the key is written in brackets: write delete @x[key]"},
		{`@ = "a" "b"`, "17: text is not joined: print its parts side by side"},
		{`@ = comm + "b"`, "18: + needs numbers, and this is a string: text is not joined, print its parts side by side"},
		{`print(“x”)`, `15: strings are written in double quotes: "..."`},
		{`@x.hist(1)`, `12: no aggregation named "hist": write quantize(x)`},
		{`@x.cout()`, `12: no aggregation named "cout"; did you mean "count"?`},
		{`@x.delete()`, `12: no aggregation named "delete": write delete @x`},
		{`@x.clear()`, `12: no aggregation named "clear": write clear(@x)`},
		{`@x.abs(1)`, `12: no aggregation named "abs": write @x = abs(1)`},
		{`@x.pid()`, `12: no aggregation named "pid": write @x = pid`},
		{`@x[1] = count(); zero(@x)`, `26: there is no zero(): write clear(@x)`},
		{`@ = $0`, "13: there is no $0: the script's arguments begin with $1"},
		{`exit`, "9: exit is a function: write exit()"},
	} {
		script, err := Parse(&Source{Text: "BEGIN { " + row.body + "; }"})
		if err == nil {
			err = Check(script, newFakeEnv())
		}
		if want := "script:1:" + row.want; err == nil || err.Error() != want {
			t.Errorf("%s gives\n%v\nwant\n%s", row.body, err, want)
		}
	}
}

// TestForeignProbes: probes as other languages write them.
func TestForeignProbes(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"begin { @ = 1; }", `1: "begin" is written in capitals: BEGIN`},
		{"tick-1s { @ = 1; }", "1: a probe is written with a colon, as in profile:99hz and interval:1s"},
		{"/re/ { @ = 1; }", "1: a predicate follows its probe, as in kprobe:vfs_read / pid == 1 / { ... }"},
		{`kprobe:"vfs_read" { @ = 1; }`, "1: the target of a probe is written without quotes: write kprobe:vfs_read"},
		{"config = { x = 1 } BEGIN { @ = 1; }", `1: there is no "config": ` + foreignWords["config"]},
		{"struct foo { x = 1; } BEGIN { @ = 1; }", `1: there is no "struct": ` + foreignWords["struct"]},
	} {
		_, err := Parse(&Source{Text: row.text})
		if want := "script:1:" + row.want; err == nil || err.Error() != want {
			t.Errorf("%s gives\n%v\nwant\n%s", row.text, err, want)
		}
	}
}
