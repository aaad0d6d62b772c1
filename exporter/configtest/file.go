// Package configtest runs test files: commands against a configuration whose
// scripts run, and compares what its metrics show with what the file expects.
// docs/testing-configurations.md describes the files.
package configtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// A Subject is a configuration that is tested: an exporter.Reader.
type Subject interface {
	// Metrics returns what may be exported on this kernel.
	Metrics() []exporter.MetricInfo
	// Has says why there is no such probe, nil if there is.
	Has(probe string) error
	// Start starts the scripts. Its error says why none runs.
	Start() error
	// Failed returns why a script does not run, by its name.
	Failed() map[string]error
	// Read returns what a scrape would show of the scripts that are named, of all
	// if none is.
	Read(scripts ...string) ([]exporter.Series, error)
	Close()
}

// A Runner runs test files, one after the other.
type Runner struct {
	Out     io.Writer
	Verbose bool           // tests that passed are printed, too, and what commands print
	Select  *regexp.Regexp // of the tests, by "file/name"; nil selects all

	Load   func(file string) (*config.TestFile, error)
	Open   func(*config.Config) (Subject, error)
	Kernel func() string // the release of the running kernel
}

// Run runs the tests of a file and says whether none failed. When ctx ends, the
// command that runs is killed, and the test ends after its after.
func (r *Runner) Run(ctx context.Context, file string) bool {
	begin := time.Now()
	f := &fileRun{Runner: r, file: file, name: strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))}
	err := f.run(ctx)
	took := time.Since(begin).Seconds()
	switch {
	case err != nil:
		fmt.Fprintf(r.Out, "%s\nFAIL\t%s [setup failed]\n", plylang.Detail(err), file)
		return false
	case f.failed > 0 || ctx.Err() != nil:
		fmt.Fprintf(r.Out, "FAIL\t%s\t%.3fs\n", file, took)
		return false
	case f.ran == 0:
		fmt.Fprintf(r.Out, "ok  \t%s\t%.3fs [no tests to run]\n", file, took)
		return true
	}
	if r.Verbose {
		fmt.Fprintln(r.Out, "PASS")
	}
	fmt.Fprintf(r.Out, "ok  \t%s\t%.3fs\n", file, took)
	return true
}

// A fileRun is a run of the tests of one file.
type fileRun struct {
	*Runner
	file, name  string
	subject     Subject
	ran, failed int // tests
}

// run runs the tests. Its error says why none could be run.
func (f *fileRun) run(ctx context.Context) error {
	loaded, err := f.Load(f.file)
	if err != nil {
		return err
	}
	tests := f.selected(loaded.Tests)
	if len(tests) == 0 {
		return nil
	}
	if f.subject, err = f.Open(loaded.Config); err != nil {
		return err
	}
	check := newChecker(f.subject)
	for _, t := range loaded.Tests {
		check.test(t)
	}
	if err := check.errs.Err(); err != nil {
		return err
	}
	ready, err := f.skip(tests)
	if err != nil || len(ready) == 0 {
		return err
	}
	defer f.subject.Close()
	if err := f.subject.Start(); err != nil {
		return err
	}
	for _, t := range ready {
		if ctx.Err() == nil {
			f.test(ctx, t)
		}
	}
	return nil
}

func (f *fileRun) selected(tests []*config.Test) []*config.Test {
	if f.Select == nil {
		return tests
	}
	var out []*config.Test
	for _, t := range tests {
		if f.Select.MatchString(f.fullName(t)) {
			out = append(out, t)
		}
	}
	return out
}

func (f *fileRun) fullName(t *config.Test) string { return f.name + "/" + t.Name }

// skip reports the tests that need what this machine does not have, and returns
// the others.
func (f *fileRun) skip(tests []*config.Test) ([]*config.Test, error) {
	var ready []*config.Test
	for _, t := range tests {
		why, err := f.lacks(t.Needs)
		switch {
		case err != nil:
			return nil, err
		case why == "":
			ready = append(ready, t)
		default:
			f.ran++
			fmt.Fprintf(f.Out, "--- SKIP: %s (0.00s)\n", f.fullName(t))
			f.indent(t.Needs.At.String() + ": " + why)
		}
	}
	return ready, nil
}

// test runs a test and reports how it ended.
func (f *fileRun) test(ctx context.Context, t *config.Test) {
	if f.Verbose {
		fmt.Fprintf(f.Out, "=== RUN   %s\n", f.fullName(t))
	}
	f.ran++
	begin := time.Now()
	run := &testRun{fileRun: f, test: t}
	faults := run.run(ctx)
	verdict := "PASS"
	if len(faults) > 0 {
		verdict = "FAIL"
		f.failed++
	}
	if f.Verbose || len(faults) > 0 {
		fmt.Fprintf(f.Out, "--- %s: %s (%.2fs)\n", verdict, f.fullName(t), time.Since(begin).Seconds())
	}
	for _, fault := range faults {
		f.indent(fault)
	}
	if f.Verbose || run.commandFailed {
		f.indent(run.output())
	}
}

// indent writes lines as those of a test.
func (f *fileRun) indent(text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintf(f.Out, "    %s\n", strings.TrimRight(line, "\n"))
	}
}

// isMissing says whether an error is that this kernel does not have something.
func isMissing(err error) bool { return errors.Is(err, plylang.ErrMissing) }
