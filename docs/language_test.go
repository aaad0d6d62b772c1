package docs

import (
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/internal/conformance"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

//go:embed language.md
var language string

//go:embed from-bpftrace.md
var fromBpftrace string

//go:embed from-ply.md
var fromPly string

// pages are the pages whose scripts are tests.
var pages = []struct{ name, text string }{
	{"language.md", language}, {"from-bpftrace.md", fromBpftrace}, {"from-ply.md", fromPly},
}

var update = flag.Bool("update", false, "rewrite the table of built-ins in docs/language.md")

// plyBlock is a script of the reference, and the output that stands below it.
// Behind "ply" may stand what it needs, or that it is in an older spelling.
var plyBlock = regexp.MustCompile("(?ms)^```ply ?([a-z]*)\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?")

// An example is one script of a page.
type example struct {
	at                   string // page and line
	note, script, output string
}

// examples are those of all pages.
func examples() (all []example) {
	for _, p := range pages {
		all = append(all, examplesOf(p.name, p.text)...)
	}
	return all
}

func examplesOf(page, text string) (all []example) {
	for _, at := range plyBlock.FindAllStringSubmatchIndex(text, -1) {
		line := 1 + strings.Count(text[:at[0]], "\n")
		e := example{at: fmt.Sprintf("docs/%s:%d", page, line), note: text[at[2]:at[3]], script: text[at[4]:at[5]]}
		if at[6] >= 0 {
			e.output = text[at[6]:at[7]]
		}
		all = append(all, e)
	}
	return all
}

var otherProbe = regexp.MustCompile(`(?m)^\w+:`)

// runs says whether the example can be run: it has BEGIN and END only.
func (e example) runs() bool { return !otherProbe.MatchString(e.script) }

// Every example of the pages compiles without a warning. Those with BEGIN only
// run, and print what the page says.
func TestExamplesOfThePages(t *testing.T) {
	need.OldAndNew(t)
	need.BPF(t)
	t.Setenv("target", "1")
	t.Setenv("HOME", "/root")
	for _, e := range examples() {
		t.Run(e.at, func(t *testing.T) {
			if e.note == "kprobes" {
				need.Kprobes(t)
			}
			if e.note == "uprobe" {
				need.Command(t, "bash")
			}
			if e.note == "usdt" {
				need.Command(t, "/usr/bin/python3")
			}
			s := conformance.Script{Prog: e.script, Args: []string{"dd"}}
			if !e.runs() {
				s.Flags = []string{"-e"}
			}
			got, err := conformance.Run(s)
			if err != nil {
				t.Fatal(err)
			}
			want := conformance.Record{Expect: nonEmpty(e.output)}
			if fault := want.Check(got); fault != "" {
				t.Errorf("%s: %s", e.at, fault)
			}
		})
	}
}

func nonEmpty(text string) []string {
	var lines []string
	for _, line := range strings.Split(text, "\n") {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// The examples are in the spelling that fmt writes.
func TestExamplesOfThePagesAreFormatted(t *testing.T) {
	all := examples()
	if len(all) < 30 {
		t.Errorf("only %d examples were found", len(all))
	}
	for _, e := range all {
		if e.note == "older" || strings.Contains(e.script, "trace:syscalls") {
			continue
		}
		if got, err := plylang.Format(&plylang.Source{Text: e.script}); err != nil || got != e.script {
			t.Errorf("%s: %v; fmt writes\n%s", e.at, err, got)
		}
	}
}

// Where the generated tables stand.
var (
	builtinMarks = [2]string{"<!-- BUILTINS: go test -run TestBuiltinsInTheReference ./docs -update -->\n", "<!-- END -->"}
	movedMarks   = [2]string{"<!-- MOVED: go test -run TestMovedInTheReference ./docs -update -->\n", "<!-- END MOVED -->"}
)

// The table of built-ins in the reference is made of the rows that the code
// generator has; -update rewrites it.
func TestBuiltinsInTheReference(t *testing.T) { compareTable(t, builtinMarks, builtinTable()) }

// So is that of functions that have moved.
func TestMovedInTheReference(t *testing.T) { compareTable(t, movedMarks, movedTable()) }

func compareTable(t *testing.T, marks [2]string, want string) {
	t.Helper()
	before, table, after, err := cutTable(marks)
	switch {
	case err != nil:
		t.Fatal(err)
	case table == want:
	case *update:
		language = before + want + after
		if err := os.WriteFile("language.md", []byte(language), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("docs/language.md has another table than the program (-update rewrites it):\n%s", want)
	}
}

func cutTable(marks [2]string) (before, table, after string, err error) {
	begin, end := strings.Index(language, marks[0]), strings.Index(language, marks[1])
	if begin < 0 || end < begin {
		return "", "", "", errors.New("docs/language.md has no place for a table: " + marks[0])
	}
	begin += len(marks[0])
	return language[:begin], language[begin:end], language[end:], nil
}

// movedTable has a row for each function that has moved.
func movedTable() string {
	var b strings.Builder
	b.WriteString("\n| function | since Linux | what a script that names it gets |\n|---|---|---|\n")
	for _, m := range probe.AllMoved() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", m.Name, m.Since, m.Effect)
	}
	return b.String() + "\n"
}

// builtinTable has a table for each role of built-ins.
func builtinTable() string {
	var b strings.Builder
	for _, group := range []struct {
		role  plylang.Role
		title string
	}{{plylang.Variable, "variable"}, {plylang.Function, "function"}, {plylang.Aggregation, "aggregation"}, {plylang.Action, "action"}} {
		fmt.Fprintf(&b, "\n| %s | meaning |\n|---|---|\n", group.title)
		for _, f := range bpfgen.Builtins() {
			if f.Role == group.role {
				fmt.Fprintf(&b, "| %s | %s |\n", spelled(f), strings.ReplaceAll(f.Doc, "|", `\|`))
			}
		}
	}
	return b.String() + "\n"
}

// spelled is how a built-in is written: `pid` (`tgid`).
func spelled(f *plylang.Func) string {
	text := "`" + f.Signature() + "`"
	if len(f.Aliases) > 0 {
		text += " (`" + strings.Join(f.Aliases, "`, `") + "`)"
	}
	return text
}

// Everything that a script can say is in an example.
func TestEveryConstructHasAnExample(t *testing.T) {
	var all strings.Builder
	for _, e := range examplesOf("language.md", language) {
		all.WriteString(e.script)
	}
	words := []string{
		"kprobe:", "kretprobe:", "tracepoint:", "trace:", "rawtracepoint:", "profile:", "interval:", "software:", "hardware:", "BEGIN", "END",
		"arg0", "args->", "data->", "retval", "func", "caller", "regs->", `reg("`, "$target", "$1", "$HOME",
		"if", "else", "unroll", "break", "continue", "return", "delete", "nil", "+=", "++", "? ", "(u64)", "(struct ",
	}
	for _, w := range words {
		if !strings.Contains(all.String(), w) {
			t.Errorf("docs/language.md has no example of %s", w)
		}
	}
	for _, f := range bpfgen.Builtins() {
		names := strings.Join(append(f.Aliases, f.Name), "|")
		if !regexp.MustCompile(`\b(` + names + `)\b`).MatchString(all.String()) {
			t.Errorf("docs/language.md has no example of %s", f.Name)
		}
	}
}
