package tracer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/live"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
	"ply-exporter/tracer/decode"
)

// A shell is bash, which calls colon_builtin for each ":".
type shell struct{ *live.Dialog }

func startShell(t *testing.T, program string) shell {
	t.Helper()
	return shell{live.Talk(t, exec.Command(program, "--norc", "--noprofile"))}
}

// colons has the shell make so many calls.
func (s shell) colons(t *testing.T, n int) {
	t.Helper()
	fmt.Fprint(s.In, strings.Repeat(":\n", n)+"echo done\n")
	if _, err := s.Out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
}

// installProgram puts a program somewhere as a package does.
func installProgram(t *testing.T, from, to string) {
	t.Helper()
	copyProgram(t, from, to+".new")
	if err := os.Rename(to+".new", to); err != nil {
		t.Fatal(err)
	}
}

// A program is upgraded while it is counted: processes of both files count, and nothing
// counts twice.
func TestFilesThatAreReplaced(t *testing.T) {
	need.BPF(t)
	bash := need.Command(t, "bash")
	program := filepath.Join(t.TempDir(), "app")
	install := func() { installProgram(t, bash, program) }
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
	if paths, err := tr.Follow(build(script)); err != nil || len(paths) > 0 {
		t.Fatalf("nothing is replaced: %v, %v", paths, err)
	}
	stale := build(script)
	install()
	expect("of the old file only", 70)
	if _, err := Start(stale, testOptions(t)); err == nil || !strings.Contains(err.Error(), "was replaced") {
		t.Errorf("what was compiled for the old file: %v", err)
	}
	if _, err := tr.Follow(build(strings.ReplaceAll(script, "/ pid /", ""))); !errors.Is(err, ErrOtherCode) {
		t.Errorf("other code: %v", err)
	}
	if paths, err := tr.Follow(build(script)); err != nil || !slices.Equal(paths, []string{program}) {
		t.Fatalf("%v, followed: %v", err, paths)
	}
	expect("of both", 120)
}

// A name means more files, or another one, than when the script started: what they count has
// the names of their own.
func TestFilesThatAppear(t *testing.T) {
	need.BPF(t)
	bash := need.Command(t, "bash")
	folder := t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	installProgram(t, bash, in("b"))
	if err := os.Symlink("b", in("link")); err != nil {
		t.Fatal(err)
	}
	const glob = "uprobe:DIR/?:@(colon_builtin|echo_builtin)"
	scripts := []struct{ text, after string }{
		{glob + " { @[probe] = count(); }", "uprobe:DIR/a:colon_builtin 3, uprobe:DIR/a:echo_builtin 1, uprobe:DIR/b:colon_builtin 4, uprobe:DIR/b:echo_builtin 2"},
		{glob + " { @[func] = count(); }", "colon_builtin 7, echo_builtin 3"},
		{glob + " { @ = count(); }", " 10"},
		{"uprobe:DIR/link:colon_builtin { @[func] = count(); }", "colon_builtin 7"},
		{"uprobe:DIR/link:colon_builtin { @[probe] = count(); }", "uprobe:DIR/b:colon_builtin 4"},
	}
	build := func(script string) *object.Object { return compile(t, strings.ReplaceAll(script, "DIR", folder)) }
	var tracers []*Tracer
	for _, s := range scripts {
		tr, err := Start(build(s.text), testOptions(t))
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		defer tr.Close()
		tracers = append(tracers, tr)
	}
	startShell(t, in("b")).colons(t, 1)
	installProgram(t, bash, in("a")) // before the other in the order of names
	if err := os.Remove(in("link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a", in("link")); err != nil {
		t.Fatal(err)
	}
	for i, s := range scripts {
		paths, err := tracers[i].Follow(build(s.text))
		if refused := strings.Contains(s.text, "link:colon_builtin { @[probe]"); refused != errors.Is(err, ErrOtherCode) || !refused && !slices.Equal(paths, []string{in("a")}) {
			t.Errorf("%s: %v, %v", s.text, paths, err)
		}
	}
	startShell(t, in("a")).colons(t, 3)
	startShell(t, in("b")).colons(t, 3)
	for i, s := range scripts {
		tr := tracers[i]
		rows, err := tr.Rows(tr.obj.Maps[0])
		if err != nil {
			t.Fatal(err)
		}
		d := decode.New(decode.NewMachine(testOptions(t).Kernel), tr.obj.Probes, tr)
		var got []string
		for _, row := range rows {
			key := ""
			for _, part := range tr.obj.Maps[0].Split(row.Key) {
				key += d.Text(part)
			}
			got = append(got, fmt.Sprint(key, " ", tr.obj.Maps[0].Read(row.Value).Number))
		}
		slices.Sort(got)
		if text := strings.ReplaceAll(strings.Join(got, ", "), folder, "DIR"); text != s.after {
			t.Errorf("%s: %s, want %s", s.text, text, s.after)
		}
	}
}
