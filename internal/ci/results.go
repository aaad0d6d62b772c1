package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// An event is a line of go test -json; `go doc test2json` describes it.
type event struct {
	Action     string
	Package    string
	ImportPath string // of what failed to build
	Test       string
	Output     string
	Elapsed    float64
}

// A skip is a test that was skipped and what it said.
type skip struct{ test, reason string }

// A failure is of a test, or of a package whose test is empty then.
type failure struct {
	pkg, test string
	ended     bool // the test has ended by itself
}

func (f failure) String() string {
	if f.test == "" {
		return f.pkg
	}
	return f.pkg + "." + f.test
}

// A duration is how long a test took. That of one with subtests has theirs in it.
type duration struct {
	test    string
	seconds float64
}

// results collects what a package's tests report, and prints a line for the package
// and the output of what fails.
type results struct {
	out      io.Writer
	passed   []string
	failures []failure
	skips    []skip
	took     []duration
	output   map[string]*strings.Builder // by package and test
	failed   map[string]bool             // packages with a failure of their own
	begin    time.Time
}

func (r *results) read(from io.Reader) error {
	r.begin = time.Now()
	r.output, r.failed = map[string]*strings.Builder{}, map[string]bool{}
	scanner := bufio.NewScanner(from)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		var e event
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			return fmt.Errorf("%q: %w", scanner.Text(), err)
		}
		r.event(e)
	}
	return scanner.Err()
}

func (r *results) event(e event) {
	name := e.Package + e.ImportPath
	if e.Test != "" {
		name += "." + e.Test
	}
	switch e.Action {
	case "output", "build-output":
		if r.output[name] == nil {
			r.output[name] = &strings.Builder{}
		}
		r.output[name].WriteString(e.Output)
	case "pass", "skip", "fail", "build-fail":
		r.end(e, name)
	}
}

// end takes the end of a test, or of a package where e.Test is empty.
func (r *results) end(e event, name string) {
	text := ""
	if b := r.output[name]; b != nil {
		text = b.String()
		delete(r.output, name)
	}
	if e.Test != "" {
		r.took = append(r.took, duration{name, e.Elapsed})
	}
	switch {
	case e.Action == "build-fail": // the packages that need it fail by themselves
		fmt.Fprint(r.out, text)
	case e.Action == "fail":
		r.fail(e, name, text)
	case e.Test == "": // the package, or one without tests
	case e.Action == "pass":
		r.passed = append(r.passed, name)
	default:
		r.skips = append(r.skips, skip{name, skipReason(text)})
	}
}

// close fails the tests that have begun and not ended, as when a program is
// killed, and returns what was said outside of tests.
func (r *results) close() (said string) {
	for _, name := range slices.Sorted(maps.Keys(r.output)) {
		text := r.output[name].String()
		if strings.Contains(name, ".Test") || strings.Contains(name, ".Fuzz") || strings.Contains(name, ".Example") {
			pkg, test, _ := strings.Cut(name, ".")
			r.fail(event{Package: pkg, Test: test}, name, text)
		} else {
			said += text
		}
	}
	r.output = nil
	return said
}

// fail prints a failure. A package fails with its tests, which then say why.
func (r *results) fail(e event, name, text string) {
	fmt.Fprintf(r.out, "FAIL %s %.1fs\n%s", name, e.Elapsed, text)
	if e.Test == "" && r.failed[e.Package] {
		return
	}
	r.failed[e.Package] = true
	r.failures = append(r.failures, failure{e.Package + e.ImportPath, e.Test, e.Action == "fail"})
}

var logLine = regexp.MustCompile(`(?m)^\s+\S+\.go:\d+: (.*)$`)

// skipReason is the last thing a skipped test logged.
func skipReason(output string) string {
	lines := logLine.FindAllStringSubmatch(output, -1)
	if len(lines) == 0 {
		return "no reason given"
	}
	return lines[len(lines)-1][1]
}
