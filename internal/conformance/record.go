// Package conformance runs scripts and compares what they print with what the
// language's reference says they must print. The scripts are records in text
// files that anybody can add to:
//
//	NAME subtraction binds to the left
//	PROG BEGIN { @ = 7 - 2 - 1; }
//	EXPECT
//	@: 4
//
// A keyword stands at the beginning of a line; what follows it, on its line and
// on those below, is its text. A line that begins with # between records is a
// comment.
//
//	NAME       one line, unique in the file
//	PROG       the script
//	EXPECT     what run prints on standard output; empty lines do not count
//	EXPECT_RE  as EXPECT, but each line is a regular expression, of one line
//	           unless it has a \n
//	ERROR      a message of the compiler, with its position; one line each, all of them
//	WARN       the same for warnings; a record without it must give none
//	STATUS     the exit status, 0 if left out
//	FLAGS      options of run, such as -f json; a time limit as -t SECONDS
//	ARGS       what $1, $2 … stand for, split at blanks
//	CMD        the command of -c
//	BESIDE     a command that is started before the script, says a line when it is ready, and
//	           gets one on its standard input when the probes count. The script ends with it
//	           if nothing else ends it. BESIDE in PROG and FLAGS is its process ID
//	NEEDS      kprobes, kprobe_multi, the oldest kernel that can run it (5.15), commands, or
//	           "here" for what is not worth the time that it takes in a guest
//
// A script without a command, a time limit and other probes than BEGIN and END
// is ended at once; exit() ends any. What the command of CMD prints is part of
// the output.
package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// A Record is one script and what must come of it.
type Record struct {
	File string
	Line int // of its NAME
	Name string
	Script
	Expect   []string // lines of standard output
	Patterns []string // the same as regular expressions; only one of the two is set
	Errors   []string
	Warnings []string
	Status   int
	Needs    string
}

// A Script is what run is given.
type Script struct {
	Prog    string
	Args    []string
	Command string
	Beside  string
	Flags   []string
}

// CompileOnly says whether the record needs no kernel that runs programs.
func (r *Record) CompileOnly() bool {
	return len(r.Errors) > 0 || slices.Contains(r.Flags, "-e")
}

// here is what NEEDS says of records that run on this machine only, each time.
const here = "here"

// needsCommand says whether the record needs something that guests do not have.
func (r *Record) needsCommand() bool {
	return r.Needs != "" && !strings.HasPrefix(r.Needs, "kprobe") && !isRelease.MatchString(r.Needs)
}

var isRelease = regexp.MustCompile(`^\d+\.\d+$`)

// keywords are the words that begin a part of a record, each with what its
// text is put into.
var keywords = map[string]func(r *Record, text string) error{
	"PROG":      func(r *Record, text string) error { r.Prog = strings.TrimSpace(text) + "\n"; return nil },
	"EXPECT":    func(r *Record, text string) error { r.Expect = lines(text); return nil },
	"EXPECT_RE": func(r *Record, text string) error { r.Patterns = lines(text); return checkPatterns(r.Patterns) },
	"ERROR":     func(r *Record, text string) error { r.Errors = append(r.Errors, lines(text)...); return nil },
	"WARN":      func(r *Record, text string) error { r.Warnings = append(r.Warnings, lines(text)...); return nil },
	"FLAGS":     func(r *Record, text string) error { r.Flags = strings.Fields(text); return nil },
	"ARGS":      func(r *Record, text string) error { r.Args = strings.Fields(text); return nil },
	"BESIDE":    func(r *Record, text string) error { r.Beside = strings.TrimSpace(text); return nil },
	"CMD":       func(r *Record, text string) error { r.Command = strings.TrimSpace(text); return nil },
	"NEEDS":     func(r *Record, text string) error { r.Needs = strings.TrimSpace(text); return nil },
	"STATUS": func(r *Record, text string) (err error) {
		r.Status, err = strconv.Atoi(strings.TrimSpace(text))
		return err
	},
}

// lines splits text into lines, without empty ones and blanks at their ends.
func lines(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \t\r\n"); line != "" {
			out = append(out, line)
		}
	}
	return out
}

func checkPatterns(patterns []string) error {
	for _, p := range patterns {
		if _, err := regexp.Compile(p); err != nil {
			return err
		}
	}
	return nil
}

// Files reads the records of all files of a folder. A file whose name ends in
// an architecture, as in registers_amd64.txt, is for that one only.
func Files(folder string) ([]*Record, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil {
		return nil, err
	}
	var all []*Record
	for _, name := range names {
		if _, arch, ok := strings.Cut(strings.TrimSuffix(name, ".txt"), "_"); ok && arch != runtime.GOARCH {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		records, err := Parse(name, string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, records...)
	}
	return all, nil
}

// Parse reads the records of one file. Its errors say file and line.
func Parse(file, text string) ([]*Record, error) {
	p := parser{file: file, seen: map[string]bool{}}
	for line := range strings.Lines(text) {
		p.line++
		if err := p.add(line); err != nil {
			return nil, err
		}
	}
	return p.records, p.end()
}

// A parser gathers the lines of a part until the next keyword.
type parser struct {
	file    string
	line    int
	records []*Record
	seen    map[string]bool // names
	keyword string          // of the part that is read; "" between records
	start   int             // its line
	text    strings.Builder
}

func (p *parser) add(line string) error {
	word, rest, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
	switch {
	case word == "NAME":
		return p.name(strings.TrimSpace(rest))
	case keywords[word] != nil && len(p.records) > 0:
		if err := p.endPart(); err != nil {
			return err
		}
		p.keyword, p.start = word, p.line
		p.text.WriteString(rest + "\n")
		return nil
	case p.keyword != "":
		p.text.WriteString(line)
		return nil
	case strings.TrimSpace(line) == "" || line[0] == '#':
		return nil
	}
	return p.errorf(p.line, "a record begins with NAME")
}

func (p *parser) name(name string) error {
	if err := p.end(); err != nil {
		return err
	}
	if name == "" || p.seen[name] {
		return p.errorf(p.line, "the name %q is empty or was used before", name)
	}
	p.seen[name] = true
	p.records = append(p.records, &Record{File: p.file, Line: p.line, Name: name})
	return nil
}

// endPart puts the text of a part where it belongs. Comments between records
// are no part of the last one's text.
func (p *parser) endPart() error {
	if p.keyword == "" {
		return nil
	}
	text := p.text.String()
	if i := strings.Index(text, "\n\n#"); i >= 0 && p.keyword != "PROG" {
		text = text[:i+1]
	}
	err := keywords[p.keyword](p.records[len(p.records)-1], text)
	if err != nil {
		err = p.errorf(p.start, "%s: %v", p.keyword, err)
	}
	p.keyword = ""
	p.text.Reset()
	return err
}

// end ends a record and says what it lacks.
func (p *parser) end() error {
	if err := p.endPart(); err != nil || len(p.records) == 0 {
		return err
	}
	r := p.records[len(p.records)-1]
	switch {
	case r.Prog == "":
		return p.errorf(r.Line, "%s: PROG is missing", r.Name)
	case r.Expect != nil && r.Patterns != nil:
		return p.errorf(r.Line, "%s: EXPECT and EXPECT_RE exclude each other", r.Name)
	}
	return nil
}

func (p *parser) errorf(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", p.file, line, fmt.Sprintf(format, args...))
}

// Check compares a result with what the record wants and returns what is
// wrong, "" when nothing is.
func (r *Record) Check(got Result) string {
	if !slices.Equal(got.Errors, r.Errors) {
		return fmt.Sprintf("errors\n%swant\n%s", list(got.Errors), list(r.Errors))
	}
	if len(r.Errors) > 0 {
		return ""
	}
	if !slices.Equal(got.Warnings, r.Warnings) {
		return fmt.Sprintf("warnings\n%swant\n%s", list(got.Warnings), list(r.Warnings))
	}
	if out := lines(got.Output); !r.isOutput(out) {
		return fmt.Sprintf("output\n%swant\n%s", list(out), list(append(r.Expect, r.Patterns...)))
	}
	if got.Status != r.Status {
		return fmt.Sprintf("status %d, want %d; it says\n%s", got.Status, r.Status, list(lines(got.Said)))
	}
	return ""
}

func (r *Record) isOutput(out []string) bool {
	if r.Patterns == nil {
		return slices.Equal(out, r.Expect)
	}
	pattern := "^(?:" + strings.Join(r.Patterns, ")\n(?:") + ")$"
	return regexp.MustCompile(pattern).MatchString(strings.Join(out, "\n"))
}

func list(lines []string) string {
	if len(lines) == 0 {
		return "    (nothing)\n"
	}
	return "    " + strings.Join(lines, "\n    ") + "\n"
}
