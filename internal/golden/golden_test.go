// Package golden tests that the generated code stays as it is. For every
// script that the project has, it keeps a hash of what the script compiles to
// on each recorded kernel, so that a change that should only move code around
// shows at once when it does more than that.
//
// The hash is made of fields that are spelled out one by one, so that it does
// not depend on how the code generator's types are called or divided. Source
// positions, names of labels and the offset of the clock are not part of it.
package golden

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	archive "ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

var (
	update = flag.Bool("update", false, "rewrite the golden file")
	dump   = flag.String("dump", "", "write what the hashes are made of into this folder, to compare two commits with diff -r")
)

const goldenFile = "testdata/objects.txt"

// A script is one line of the golden file.
type script struct {
	name    string
	compile func(k *kernel.Kernel, plain bool) (*object.Object, error)
}

// Each line of the golden file is a script, and each column a recorded kernel:
// the hash of what the script compiles to with the attach types that the
// compiler prefers, then of what it compiles to with plain ones where that is
// something else. "error" is a script that does not compile there.
func TestObjects(t *testing.T) {
	kernels := openKernels(t)
	var b strings.Builder
	fmt.Fprintf(&b, "# go test ./internal/golden -update rewrites this file\n#")
	for _, k := range kernels {
		fmt.Fprintf(&b, " %s", k.name)
	}
	b.WriteString("\n")
	for _, s := range scripts(t) {
		var cells []string
		for _, k := range kernels {
			cells = append(cells, cell(t, s, k))
		}
		fmt.Fprintf(&b, "%s\t%s\n", s.name, strings.Join(cells, " "))
	}
	compare(t, b.String())
}

// A recorded kernel has its archive's name.
type recorded struct {
	*kernel.Kernel
	name string
}

func openKernels(t *testing.T) (all []recorded) {
	t.Helper()
	for _, name := range archive.Names() {
		k, err := kernel.Open(archive.Files(name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, recorded{k, name})
	}
	return all
}

// cell is what the golden file says of one script and one kernel.
func cell(t *testing.T, s script, k recorded) string {
	t.Helper()
	var hashes []string
	for _, plain := range []bool{false, true} {
		text := "error"
		if o, err := s.compile(k.Kernel, plain); err == nil && tracesPrograms(o) {
			text = "programs" // which each machine has its own of
		} else if err == nil {
			text = hash(o)
			dumpObject(t, fmt.Sprintf("%s %s plain=%v", s.name, k.name, plain), o)
		}
		if len(hashes) == 0 || hashes[0] != text {
			hashes = append(hashes, text)
		}
	}
	return strings.Join(hashes, "/")
}

// tracesPrograms says whether a script is attached to programs.
func tracesPrograms(o *object.Object) bool {
	return slices.ContainsFunc(o.Programs, func(p *object.Program) bool {
		_, is := p.Points[0].Site.(object.UserFunction)
		return is
	})
}

func dumpObject(t *testing.T, name string, o *object.Object) {
	t.Helper()
	if *dump == "" {
		return
	}
	var b strings.Builder
	write(&b, o)
	if err := os.MkdirAll(*dump, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(*dump, strings.NewReplacer("/", "|", "\n", " ").Replace(name))
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func compare(t *testing.T, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(goldenFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		want[line] = true
	}
	for line := range strings.Lines(got) {
		if !want[line] {
			t.Errorf("not in %s: %s", goldenFile, line)
		}
		delete(want, line)
	}
	for line := range want {
		t.Errorf("only in %s: %s", goldenFile, line)
	}
}

// build compiles a script as the command's run does.
func build(text string, args []string) func(*kernel.Kernel, bool) (*object.Object, error) {
	return func(k *kernel.Kernel, plain bool) (*object.Object, error) {
		return bpfgen.Build(&plylang.Source{Text: text}, k, bpfgen.Options{Run: true, PlainAttach: plain}, params(args))
	}
}
