package plylang

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// A syntaxRow is a wrong script of testdata/syntax-errors.txt.
type syntaxRow struct {
	line   int // of the file, where the script begins
	script string
}

// readSyntaxErrors reads the scripts, which "---" separates.
func readSyntaxErrors(t testing.TB) []syntaxRow {
	t.Helper()
	text, err := os.ReadFile("testdata/syntax-errors.txt")
	if err != nil {
		t.Fatal(err)
	}
	var rows []syntaxRow
	line := 1
	for _, script := range strings.Split(string(text), "---\n") {
		rows = append(rows, syntaxRow{line, script})
		line += strings.Count(script, "\n") + 1
	}
	return rows
}

// expected finds the diagnostics that a line of a script announces:
//
//	x = 08; ### 5 "08: 8 is no octal digit"
//
// is one at column 5 whose message has that text; without a number, any
// column will do.
var expected = regexp.MustCompile("(\\d+ )?`([^`]*)`")

// TestSyntaxErrors compares what Parse says about wrong scripts with what
// their own comments expect, line by line.
func TestSyntaxErrors(t *testing.T) {
	for _, row := range readSyntaxErrors(t) {
		_, err := Parse(&Source{File: "syntax-errors.txt", Text: row.script, Line: row.line})
		list, _ := err.(ErrorList)
		found := map[int][]*Error{}
		for _, e := range list {
			line, _ := e.Src.Position(e.Pos)
			found[line] = append(found[line], e)
		}
		for i, text := range strings.Split(row.script, "\n") {
			compareLine(t, row.line+i, text, found[row.line+i])
		}
	}
}

// compareLine compares the diagnostics of one line with its comment.
func compareLine(t *testing.T, line int, text string, got []*Error) {
	t.Helper()
	_, comment, _ := strings.Cut(text, "###")
	want := expected.FindAllStringSubmatch(comment, -1)
	if len(got) != len(want) {
		t.Errorf("line %d: %d diagnostics, not %d:\n%s\n%s", line, len(got), len(want), text, ErrorList(got))
		return
	}
	for i, e := range got {
		_, col := e.Src.Position(e.Pos)
		at := strings.TrimSpace(want[i][1])
		if e.Msg != want[i][2] || at != "" && at != fmt.Sprint(col) {
			t.Errorf("line %d: got  %d `%s`\n         want %s `%s`", line, col, e.Msg, at, want[i][2])
		}
	}
}
