package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParsePrograms(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "x.test")
	if err := os.WriteFile(binary, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "testdata"), 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"sh", "-c", "ls", "---", binary, "-test.v", "-test.coverprofile=/here/c.out", "-test.outputdir=/here"}
	programs, err := parsePrograms(args, []string{"A=b"})
	if err != nil {
		t.Fatal(err)
	}
	sh, test := programs[0], programs[1]
	if sh.binary != "" || sh.Dir != "/" || !reflect.DeepEqual(sh.Argv, []string{"sh", "-c", "ls"}) {
		t.Errorf("a bare word is the guest's own: %+v", sh)
	}
	want := []string{"/t/1/x.test", "-test.v", "-test.coverprofile=/tmp/cover.t.1", "-test.outputdir=/tmp"}
	if test.binary != binary || test.testdata["testdata"] != dir+"/testdata" || !reflect.DeepEqual(test.Argv, want) {
		t.Errorf("a path is copied: %+v", test)
	}
	if got := fetched(programs)["/tmp/cover.t.1"]; got != "/here/c.out" {
		t.Errorf("coverage comes back to %q", got)
	}
}

// A binary may be built elsewhere than in its package's folder.
func TestProgramIn(t *testing.T) {
	dir, binary := t.TempDir(), filepath.Join(t.TempDir(), "x.test")
	if err := os.WriteFile(binary, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "testdata"), 0o755); err != nil {
		t.Fatal(err)
	}
	programs, err := parsePrograms([]string{"-in=" + dir, binary, "-test.v"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := programs[0]; got.binary != binary || got.testdata["testdata"] != dir+"/testdata" || len(got.Argv) != 2 {
		t.Errorf("%+v", got)
	}
}

func TestParseProgramsErrors(t *testing.T) {
	for _, args := range []string{"-in=/", "---", "sh --- --- sh", "/no/such/file"} {
		if _, err := parsePrograms(strings.Fields(args), nil); err == nil {
			t.Errorf("%s: no error", args)
		}
	}
}

func TestOutput(t *testing.T) {
	const sent = "firmware\r\n@@ready kernel=6.1 arch=amd64 cpus=2\r\n@@start x\r\nhello\r\nno newline@@end x status=3 wall=0.10\r\n" +
		"@@file /tmp/c Zm9v\r\n@@exit 3\r\nreboot: machine restart\r\n"
	kept := filepath.Join(t.TempDir(), "c")
	tests := []struct {
		quiet bool
		want  string
	}{
		{true, "hello\nno newline\n"},
		{false, "firmware\n@@ready kernel=6.1 arch=amd64 cpus=2\n@@start x\nhello\nno newline\n@@end x status=3 wall=0.10\n@@exit 3\n"},
	}
	for _, tt := range tests {
		var shown bytes.Buffer
		o := &output{quiet: tt.quiet, to: &shown, files: map[string]string{"/tmp/c": kept}}
		o.copy(strings.NewReader(sent))
		if shown.String() != tt.want || o.status != 3 || !o.exited || o.err != nil {
			t.Errorf("quiet %v: %q, status %d, exited %v, %v", tt.quiet, shown.String(), o.status, o.exited, o.err)
		}
		if content, err := os.ReadFile(kept); string(content) != "foo" {
			t.Errorf("file sent back: %q, %v", content, err)
		}
	}
}

func TestOutputOfACrash(t *testing.T) {
	o := &output{to: &bytes.Buffer{}}
	o.copy(strings.NewReader("@@ready kernel=6.1\n@@start x\nhalf a li"))
	if o.exited {
		t.Error("a guest that stops in the middle did not come to its end")
	}
}

// The archive names each member once, parents first, and its parts begin at
// multiples of 4.
func TestCPIO(t *testing.T) {
	var b bytes.Buffer
	c := newCPIO(&b)
	c.file("/a/b/c", 0o644, []byte("hello"))
	c.dir("a")
	c.file("a/b/d", 0o755, nil)
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for archive := b.Bytes(); len(archive) > 0; {
		var mode, size, nameSize int
		if !bytes.HasPrefix(archive, []byte("070701")) {
			t.Fatalf("no header at %q", archive)
		}
		fmt.Sscanf(string(archive[14:22]), "%x", &mode)
		fmt.Sscanf(string(archive[54:62]), "%x", &size)
		fmt.Sscanf(string(archive[94:102]), "%x", &nameSize)
		name := string(archive[110 : 110+nameSize-1])
		begin := (110 + nameSize + 3) &^ 3
		got = append(got, fmt.Sprintf("%o %s %s", mode, name, archive[begin:begin+size]))
		archive = archive[(begin+size+3)&^3:]
	}
	want := []string{"40755 a ", "40755 a/b ", "100644 a/b/c hello", "100755 a/b/d ", "0 TRAILER!!! "}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("archive %q, want %q", got, want)
	}
}
