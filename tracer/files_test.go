package tracer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// A shell is bash, which calls colon_builtin for each ":".
type shell struct {
	in  io.Writer
	out *bufio.Reader
}

func startShell(t *testing.T, program string) *shell {
	t.Helper()
	cmd := exec.Command(program, "--norc", "--noprofile")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &shell{in, bufio.NewReader(out)}
}

// colons has the shell make so many calls.
func (s *shell) colons(t *testing.T, n int) {
	t.Helper()
	fmt.Fprint(s.in, strings.Repeat(":\n", n)+"echo done\n")
	if _, err := s.out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
}

// A program is upgraded while it is counted: processes of both files count, and nothing
// counts twice.
func TestFilesThatAreReplaced(t *testing.T) {
	need.BPF(t)
	bash := need.Command(t, "bash")
	program := filepath.Join(t.TempDir(), "app")
	install := func() {
		t.Helper()
		text, err := os.ReadFile(bash)
		if err == nil {
			err = os.WriteFile(program+".new", text, 0o755)
		}
		if err == nil {
			err = os.Rename(program+".new", program)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	install()
	build := func(script string) *object.Object {
		return compile(t, strings.ReplaceAll(script, "APP", program))
	}
	const script = "uprobe:APP:colon_builtin / pid / { @ = count(); }"
	tr, err := Start(build(script), testOptions(t))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	defer tr.Close()
	old := startShell(t, program)
	expect := func(when string, want int64) {
		t.Helper()
		old.colons(t, 20)
		startShell(t, program).colons(t, 30)
		rows, err := tr.Rows(tr.obj.Maps[0])
		if err != nil || len(rows) != 1 || tr.obj.Maps[0].Read(rows[0].Value).Number.String() != fmt.Sprint(want) {
			t.Errorf("%s: %v, %v, want %d", when, rows, err, want)
		}
	}
	expect("before", 50)
	if err := tr.Follow(build(script)); err != nil || len(tr.Replaced()) > 0 {
		t.Fatalf("nothing is replaced: %v, %v", err, tr.Replaced())
	}
	stale := build(script)
	install()
	if got := tr.Replaced(); len(got) != 1 || got[0] != program {
		t.Fatalf("replaced: %v", got)
	}
	expect("of the old file only", 70)
	if _, err := Start(stale, testOptions(t)); err == nil || !strings.Contains(err.Error(), "was replaced") {
		t.Errorf("what was compiled for the old file: %v", err)
	}
	if err := tr.Follow(build(strings.ReplaceAll(script, "/ pid /", ""))); !errors.Is(err, ErrOtherCode) {
		t.Errorf("other code: %v", err)
	}
	if err := tr.Follow(build(script)); err != nil || len(tr.Replaced()) > 0 {
		t.Fatalf("%v, replaced: %v", err, tr.Replaced())
	}
	expect("of both", 120)
}
