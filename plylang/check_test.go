package plylang

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// promise is how a script says what is wrong with a line:
//
//	BEGIN { @x = y; }   ### "no variable or built-in named \"y\""
//	BEGIN { pid; }      ### warning "the value of this expression is not used"
var promise = regexp.MustCompile(`### (warning )?("(?:[^"\\]|\\.)*")`)

// TestCheckErrors checks each script of testdata/check-errors.txt against what
// it says of itself.
func TestCheckErrors(t *testing.T) {
	for i, text := range records(t, "testdata/check-errors.txt") {
		title, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
		t.Run(title, func(t *testing.T) {
			want := promised(t, text)
			if len(want) == 0 {
				t.Fatal("the script expects nothing")
			}
			got := diagnosticsOf(t, text)
			if a, b := strings.Join(got, "\n"), strings.Join(want, "\n"); a != b {
				t.Errorf("record %d:%s\ngot:\n%s\nwant:\n%s", i, text, a, b)
			}
		})
	}
}

// records splits a file at lines of dashes.
func records(t testing.TB, file string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(b), "\n---\n")
}

// promised lists what the script says is wrong with it, by line.
func promised(t *testing.T, text string) []string {
	var want []string
	for i, line := range strings.Split(text, "\n") {
		for _, m := range promise.FindAllStringSubmatch(line, -1) {
			msg, err := strconv.Unquote(m[2])
			if err != nil {
				t.Fatalf("line %d: %v", i+1, err)
			}
			want = append(want, fmt.Sprintf("%d: %s%s", i+1, m[1], msg))
		}
	}
	sort.Strings(want)
	return want
}

// diagnosticsOf lists what Check says, by line.
func diagnosticsOf(t *testing.T, text string) []string {
	t.Helper()
	script, err := Parse(&Source{Text: text})
	if err != nil {
		t.Fatal(Detail(err))
	}
	var got []string
	add := func(kind string, list ErrorList) {
		for _, e := range list {
			line, _ := e.Src.Position(e.Pos)
			got = append(got, fmt.Sprintf("%d: %s%s", line, kind, e.Msg))
		}
	}
	if err := Check(script, newFakeEnv()); err != nil {
		add("", err.(ErrorList))
	}
	add("warning ", script.Warnings)
	sort.Strings(got)
	return got
}

// TestCheckPositions shows messages as the user sees them.
func TestCheckPositions(t *testing.T) {
	src := &Source{File: "probes.yaml", Line: 10, Indent: 4, Text: "BEGIN {\n\t@bytes[pid] = count();\n\t@bytes[pid, comm] = count();\n}\nkprobe:nowhere { @x[arg0] = count(); }"}
	script, err := Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	err = Check(script, newFakeEnv())
	want := "probes.yaml:12:6: @bytes has 2 keys here but 1 key at probes.yaml:11:6\n" +
		"    \t@bytes[pid, comm] = count();\n" +
		"    \t^\n" +
		"probes.yaml:14:5: no function \"nowhere\"\n" +
		"    kprobe:nowhere { @x[arg0] = count(); }\n" +
		"    ^"
	if got := Detail(err); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	list := err.(ErrorList)
	if errors.Is(list[0], ErrMissing) || !errors.Is(list[1], ErrMissing) || errors.Is(err, ErrMissing) {
		t.Error("only the second error is one of this kernel")
	}
}
