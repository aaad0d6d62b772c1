package conformance

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/cli"
	"ply-exporter/plylang"
)

// A Result is what came of a script.
type Result struct {
	Errors   []string
	Warnings []string // without those about this kernel
	Output   string
	Status   int
	Said     string // on standard error
}

// patience is how long a script without an end of its own may run, on a guest
// kernel whose start of a script takes long, too.
const patience = time.Minute

// Run runs a script by the program's own run command, in this process. Errors
// in the script are in the result; err is that something else went wrong.
func Run(s Script) (res Result, err error) {
	streams, err := newStreams()
	if err != nil {
		return res, err
	}
	if s.Beside != "" {
		end, err := s.startBeside(streams.Err)
		if err != nil {
			return res, err
		}
		defer end()
	}
	began := time.Now()
	res.Status = cli.Run(s.commandLine(), streams)
	if !s.hasLimit() && time.Since(began) >= patience {
		return res, errors.New("the script has no end: it needs exit(), a CMD, or FLAGS -t")
	}
	output, err := content(streams.Out)
	said, errRead := content(streams.Err)
	res.Output, res.Said = output, said
	return res, errors.Join(err, errRead, res.read(said), streams.In.Close())
}

// commandLine is what a user would type to run the script.
func (s Script) commandLine() []string {
	line := append([]string{"ply-exporter", "run"}, s.Flags...)
	switch {
	case s.Command != "":
		line = append(line, "-c", s.Command)
	case !s.hasLimit() && s.onlyBegins():
		line = append(line, "-t", time.Nanosecond.String())
	}
	if !s.hasLimit() && !slices.Contains(line, "-t") {
		line = append(line, "-t", patience.String())
	}
	return append(append(line, "--", s.Prog), s.Args...)
}

func (s Script) hasLimit() bool { return slices.Contains(s.Flags, "-t") }

// onlyBegins says whether nothing can happen after BEGIN.
func (s Script) onlyBegins() bool {
	script, err := plylang.Parse(&plylang.Source{Text: s.Prog})
	if err != nil {
		return false // it does not run at all
	}
	return !slices.ContainsFunc(script.Probes, func(p *plylang.Probe) bool {
		return slices.ContainsFunc(p.Specs(), func(s *plylang.Spec) bool { return s.Provider != "BEGIN" && s.Provider != "END" })
	})
}

// newStreams returns an empty input and files in memory for what is written.
func newStreams() (s cli.Streams, err error) {
	in, errIn := os.Open(os.DevNull)
	out, errOut := memoryFile("stdout")
	stderr, errErr := memoryFile("stderr")
	return cli.Streams{In: in, Out: out, Err: stderr}, errors.Join(errIn, errOut, errErr)
}

func memoryFile(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// content returns all that a file has, and closes it.
func content(f *os.File) (string, error) {
	defer f.Close()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	text, err := io.ReadAll(f)
	return string(text), err
}

// aboutKernel are warnings that a script has on some kernels or machines only,
// which no record can expect.
var aboutKernel = regexp.MustCompile(`may miss a value on this kernel|Linux counts them from|shows addresses instead of functions|this machine uses version 1|` +
	`is attached to|before Linux [0-9.]+[:,]|since Linux [0-9.]+$`)

// A diagnostic is a line such as "warning: script:1:9: message".
var diagnostic = regexp.MustCompile(`(?m)^(warning: )?(script:\d+:\d+: .*)$`)

// A complaint is a line about something other than the script. How its command
// or its process ended is none.
var complaint = regexp.MustCompile(`(?m)^ply-exporter: .*$`)

var hasEnded = regexp.MustCompile(`^ply-exporter: (command: |process \d+ has ended$)`)

// read takes errors and warnings from what the command wrote to standard error.
func (r *Result) read(stderr string) error {
	for _, m := range diagnostic.FindAllStringSubmatch(stderr, -1) {
		switch {
		case m[1] == "":
			r.Errors = append(r.Errors, m[2])
		case !aboutKernel.MatchString(m[2]):
			r.Warnings = append(r.Warnings, m[2])
		}
	}
	for _, line := range complaint.FindAllString(stderr, -1) {
		if !hasEnded.MatchString(line) {
			return errors.New(line)
		}
	}
	return nil
}
