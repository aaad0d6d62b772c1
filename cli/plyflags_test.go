package cli

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/common/version"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// What ply's releases took is taken, and what they meant otherwise gets a hint.
func TestFlagsOfPly(t *testing.T) {
	for _, row := range []struct {
		args   []string
		status int
		want   string // in standard error, or in standard output where the status is 0
	}{
		{[]string{"-u", "-e", "BEGIN { @ = 1; }"}, 0, ""},
		{[]string{"--unbuffer", "--dry-run", "BEGIN { @ = 1; }"}, 0, ""},
		{[]string{"--timeout", "5", "-e", "BEGIN { @ = 1; }"}, 0, ""},
		{[]string{"-v"}, 0, "ply-exporter, version"},
		{[]string{"--version"}, 0, "ply-exporter, version"},
		{[]string{"-c", "BEGIN { @ = 1; }"}, 2, `ply: the script is an argument of its own, and -c gives a command to run: leave out -c; see ply --help`},
		{[]string{"-T"}, 2, `ply: there is no self-test: "ply-exporter check" tries what the built-in configuration needs; see ply --help`},
		{[]string{"-Q", "x"}, 2, "ply: unknown short flag '-Q'"},
		{[]string{"/no/such/file.ply"}, 1, "ply: open /no/such/file.ply"},
	} {
		status, out, errs := calledBy(t, "ply", row.args...)
		text := errs
		if row.status == 0 {
			text = out
		}
		if status != row.status || !strings.Contains(text, row.want) {
			t.Errorf("ply %q: status %d, output %q, errors %q, want status %d and %q", row.args, status, out, errs, row.status, row.want)
		}
	}
	if _, _, errs := calledBy(t, "ply-exporter", "run", "-d", "-e", "BEGIN { @ = 1; }"); !strings.Contains(errs, "BEGIN") {
		t.Errorf("-d shows %q", errs)
	}
}

// A build without -ldflags has a version too.
func TestVersionOfPlainBuild(t *testing.T) {
	_, out, _ := calledBy(t, "ply-exporter", "--version")
	if strings.Contains(out, "version  (") {
		t.Errorf("no version in %q", out)
	}
	if want := version.Print("ply-exporter") + "\n"; out != want { // as other exporters have it
		t.Errorf("%q, want %q", out, want)
	}
}

// calledBy runs the program by a name, in this process.
func calledBy(t *testing.T, name string, args ...string) (status int, out, errs string) {
	t.Helper()
	open := func(file string) *os.File {
		f, err := os.Create(filepath.Join(t.TempDir(), file))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	streams := Streams{In: os.Stdin, Out: open("out"), Err: open("err")}
	status = Run(append([]string{"/usr/bin/" + name}, args...), streams)
	read := func(f *os.File) string {
		defer f.Close()
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return status, read(streams.Out), read(streams.Err)
}

// A map that cannot be read is no success.
func TestUnreadMap(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	s := &session{Streams: Streams{Out: null, Err: null}, flags: &runFlags{}}
	if got := s.worst(statusOK, false); got != statusOK {
		t.Errorf("status %d without a map", got)
	}
	s.showMap(&object.Map{Map: &plylang.Map{Name: "@x"}}, nil, io.ErrUnexpectedEOF, nil)
	if got := s.worst(statusOK, false); got != statusError {
		t.Errorf("status %d after a map that could not be read", got)
	}
	if got := s.worst(5, false); got != 5 {
		t.Errorf("status %d where exit(5) was called", got)
	}
}
