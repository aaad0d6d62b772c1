package plylang

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSyntaxErrorDetail shows diagnostics as users see them, and those that
// testdata/syntax-errors.txt cannot hold.
func TestSyntaxErrorDetail(t *testing.T) {
	for _, row := range []struct{ script, want string }{
		{"", `
probes.yaml:14:9: script is empty: write a probe and what to do there, as in kprobe:vfs_read { @[comm] = count(); }
    
    ^`},
		{"  # nothing but a comment\n", `
probes.yaml:14:9: script is empty: write a probe and what to do there, as in kprobe:vfs_read { @[comm] = count(); }
      # nothing but a comment
    ^`},
		{"kprobe:a {\n\tx = 08;\n}", `
probes.yaml:15:14: 08: 8 is no octal digit; a leading 0 makes a number octal, leave it out
    	x = 08;
    	    ^`},
		{"kprobe:a { x = \"abc; }\nkprobe:b { y = ; }", `
probes.yaml:14:24: string is not closed on its line: '"' is missing; a line break is written \n
    kprobe:a { x = "abc; }
                   ^
probes.yaml:15:24: expected a value, found ";"
    kprobe:b { y = ; }
                   ^`},
		{"kprobe:a { x = \"abc\\\n\"; }", `
probes.yaml:14:24: string is not closed on its line: '"' is missing; a line break is written \n
    kprobe:a { x = "abc\
                   ^`},
		{"kprobe:a { x = (1 + 2; /* here\ny = 1; }", `
probes.yaml:14:30: expected ")", found ";"
    kprobe:a { x = (1 + 2; /* here
                         ^
probes.yaml:14:32: comment is never closed: "*/" is missing
    kprobe:a { x = (1 + 2; /* here
                           ^`},
		{"kprobe:a { x[\"äö✓\"] = ; }", `
probes.yaml:14:35: expected a value, found ";"
    kprobe:a { x["äö✓"] = ; }
                          ^`},
		{"kprobe:a { x = \"a\x00b\"; }", `
probes.yaml:14:26: a string cannot hold a NUL byte: leave it out, strings end by themselves
    kprobe:a { x = "a?b"; }
                     ^`},
		{"kprobe:a { x = \x00\x00 1; }", `
probes.yaml:14:24: NUL byte: a script is text
    kprobe:a { x = ?? 1; }
                   ^`},
		{"\x7fELF\x02\x01\x01\x00", `
probes.yaml:14:9: unexpected character '\x7f'
    ?ELF????
    ^`},
		{"kprobe:a { x = 1; # caf\xe9\n y = \xff\xfe; }", `
probes.yaml:14:32: invalid UTF-8 (byte 0xe9) in a comment: a script is text
    kprobe:a { x = 1; # caf?
                           ^
probes.yaml:15:14: invalid UTF-8 (byte 0xff): a script is text
     y = ??; }
         ^`},
		{"kprobe:a\xff { }\nkprobe:b\x00 { }", `
probes.yaml:14:17: invalid UTF-8 (byte 0xff) in a probe: a script is text
    kprobe:a? { }
            ^
probes.yaml:15:17: NUL byte: a script is text
    kprobe:b? { }
            ^`},
	} {
		_, err := Parse(&Source{File: "probes.yaml", Text: row.script, Line: 14, Indent: 8})
		if err == nil {
			t.Errorf("%q parses", row.script)
		} else if got := "\n" + Detail(err); got != row.want {
			t.Errorf("%q: got%s\nwant%s", row.script, got, row.want)
		}
	}
}

// TestNesting nests each construct moderately, which parses, and 10,000 deep,
// which is one error.
func TestNesting(t *testing.T) {
	for _, row := range []struct{ before, open, middle, end string }{
		{"x = ", "(", "1", ")"},
		{"x = ", "- ", "y", ""},
		{"x = ", "!", "y", ""},
		{"x = ", "(u32)", "y", ""},
		{"x = ", "a ? b : ", "c", ""},
		{"x = ", "a ? ", "b", " : c"},
		{"x = ", "f(1, ", "1", ")"},
		{"x = ", "@m[", "1", "]"},
		{"x = ", "[", "1", "]"},
		{"", "{", "x = 1", "}"},
		{"", "if (x) ", "y = 1", ""},
		{"", "if (x) { ", "y = 1", " }"},
		{"", "if (x) y = 1; else ", "y = 2", ""},
		{"", "if (x) { } else ", "{ }", ""},
		{"", "unroll (2) { ", "x = 1", " }"},
	} {
		nested := func(n int) string {
			return body(row.before + strings.Repeat(row.open, n) + row.middle + strings.Repeat(row.end, n))
		}
		if _, err := Parse(&Source{Text: nested(60)}); err != nil {
			t.Errorf("60 times %q: %.200s", row.open, Detail(err))
		}
		_, err := Parse(&Source{Text: nested(10_000)})
		list, _ := err.(ErrorList)
		if len(list) != 1 || !strings.HasPrefix(list[0].Msg, "nested deeper than 200 levels") {
			t.Errorf("10000 times %q: %.200v", row.open, err)
		}
	}
}

// TestChains puts many operators side by side.
func TestChains(t *testing.T) {
	for _, row := range []struct{ link, want string }{
		{" + 1", "more than 1000 operators in one expression"},
		{" || 1 == 2", "more than 1000 operators in one expression"},
		{".a", "more than 1000 members in one expression"},
		{"[1]", "more than 1000 members in one expression"},
	} {
		if _, err := Parse(&Source{Text: body("x = (y)" + strings.Repeat(row.link, 900))}); err != nil {
			t.Errorf("900 times %q: %.200s", row.link, Detail(err))
		}
		_, err := Parse(&Source{Text: body("x = (y)" + strings.Repeat(row.link, 10_000))})
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("10000 times %q: %.200v", row.link, err)
		}
	}
}

// TestLargeScripts reads as much as a script may have of everything, in a time
// that grows no faster than the text: a second is plenty.
func TestLargeScripts(t *testing.T) {
	for _, unit := range []string{
		"kprobe:a{@=count();}\n", "BEGIN{x=1;y=(u32)2;if(x){y++}}", "kprobe:a\n", "kprobe:a{", "}", "{", "(", "((a*",
		"kprobe:a/", "kprobe:a{x=1/", "/*", "/**/", "# comment\n", "\"", "\"\\q", "\x00", "\xff ", "08 ", "é", "$", " ", "\n",
		"kprobe:a{x=(1;", "kprobe:a{if(", "kprobe:a{x 08;", "@x=1;", "a:", "kprobe:a\n{\n", "1", "else ", "BEGIN ", "kprobe:a{[",
	} {
		text := strings.Repeat(unit, maxSource/len(unit))
		start := time.Now()
		_, err := Parse(&Source{Text: text})
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%d bytes of %q took %v", len(text), unit, took)
		}
		if list, _ := err.(ErrorList); len(list) > maxErrors+1 {
			t.Errorf("%d bytes of %q give %d errors", len(text), unit, len(list))
		}
	}
}

// TestTooLarge refuses more than that without reading it.
func TestTooLarge(t *testing.T) {
	_, err := Parse(&Source{Text: strings.Repeat("kprobe:a\n", maxSource)})
	if want := "script:1:1: script has 9437184 bytes, the limit is 1048576"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestMixedOperators warns the writers of 2016's spelling, which had no
// precedence, once for each line.
func TestMixedOperators(t *testing.T) {
	for _, row := range []struct {
		script string
		lines  []int
	}{
		{"kprobe:a { $x.sum(a + b * c) }", []int{1}},
		{"kprobe:a { $x.sum(a + (b * c)) }", nil},
		{"kprobe:a { $x.sum((a + b) * c) }", nil},
		{"kprobe:a { $x.sum(a + b + c) }", nil},
		{"kprobe:a { $x.sum(a - b + c) }", []int{1}},
		{"kprobe:a { $x.sum(a + b * c - d) }", []int{1}},
		{"kprobe:a / pid == 1 && uid == 2 / { $x[pid].count() }", []int{1}},
		{"kprobe:a\n/ a && b || c /\n{\n$x[a\n+ b / c].count() }", []int{2, 5}},
		{"kprobe:a { $x.sum(a\n+\nb * (c + d * e)) }", []int{2, 3}},
		{"kprobe:a { @x = sum(a + b * c); }", nil},
		{"kprobe:a / pid == $1 && uid == $USER_ID / { @x = count(); }", nil},
	} {
		script, err := Parse(&Source{Text: row.script})
		if err != nil {
			t.Fatalf("%s", Detail(err))
		}
		var lines []int
		for _, w := range script.Warnings {
			line, _ := w.Src.Position(w.Pos)
			lines = append(lines, line)
		}
		if !slices.Equal(lines, row.lines) {
			t.Errorf("%s\nwarns of lines %v, not %v", row.script, lines, row.lines)
		}
	}
}

// TestHiddenBlocks warns of a block behind what is a comment and was meant as an empty
// condition.
func TestHiddenBlocks(t *testing.T) {
	for text, warns := range map[string]bool{
		"kprobe:a // { @ = count(); }":                                     true,
		"kprobe:b { @b = count(); } kprobe:a, kprobe:c //{ @ = count(); }": true,
		"kprobe:a // all of {a, b}":                                        false,
		"kprobe:a\n// { @ = count(); }":                                    false,
		"kprobe:a { @ = count(); } // { @ = sum(1); }":                     false,
		"kprobe:a # { @ = count(); }":                                      false,
	} {
		script, err := Parse(&Source{Text: text})
		if err != nil {
			t.Fatalf("%s", Detail(err))
		}
		if (len(script.Warnings) > 0) != warns {
			t.Errorf("%s: warnings %v", text, script.Warnings)
		}
	}
}

// TestRankedOperators warns of a comparison that binds tighter than the operator
// beside it, and fmt writes what it is.
func TestRankedOperators(t *testing.T) {
	for _, row := range []struct{ text, want, formatted string }{
		{"a & 4 == 4", "== binds tighter than &, so that this is a & (4 == 4): write (a & 4) == 4, or the parentheses", "a & (4 == 4)"},
		{"a == 4 | 2", "== binds tighter than |, so that this is (a == 4) | 2: write a == (4 | 2), or the parentheses", "(a == 4) | 2"},
		{"a ^ b < 3", "< binds tighter than ^, so that this is a ^ (b < 3): write (a ^ b) < 3, or the parentheses", "a ^ (b < 3)"},
		{"a == 4 | b == 2", "", "(a == 4) | (b == 2)"},
		{"(a & 4) == 4", "", "(a & 4) == 4"},
		{"a & (4 == 4)", "", "a & (4 == 4)"},
		{"a + 4 == 4 && b", "", "a + 4 == 4 && b"},
	} {
		script, err := Parse(&Source{Text: "BEGIN { @x = " + row.text + "; }"})
		if err != nil {
			t.Fatalf("%s", Detail(err))
		}
		var got []string
		for _, w := range script.Warnings {
			got = append(got, w.Msg)
		}
		if strings.Join(got, "\n") != row.want {
			t.Errorf("%s: got %q, want %q", row.text, got, row.want)
		}
		if text := script.String(); !strings.Contains(text, "@x = "+row.formatted+";") {
			t.Errorf("%s is written as\n%s", row.text, text)
		}
	}
}
