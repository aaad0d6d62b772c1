package tracer

import (
	"debug/elf"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ply-exporter/internal/live"
	"ply-exporter/internal/need"
)

// Where a program is replaced while nobody is there, a pinned script would go on to
// look at the old one.
func TestPinnedUprobes(t *testing.T) {
	need.BPF(t)
	program := filepath.Join(t.TempDir(), "program")
	copyProgram(t, need.Command(t, "true"), program)
	run := func(n int) {
		t.Helper()
		for range n {
			if err := exec.Command(program).Run(); err != nil {
				t.Fatal(err)
			}
		}
	}
	path := live.PinPath(t)
	script := fmt.Sprintf("uprobe:%s:%#x { @ = count(); }", program, entryOf(t, program))
	obj := compile(t, script)

	first := runPinned(t, path, obj)
	created := first.tracers[0].Created()
	run(3)
	first.leave(t)
	run(2)
	second := runPinned(t, path, obj)
	if n := total(t, second.tracers[0]); n != 5 || !second.tracers[0].Created().Equal(created) {
		t.Errorf("counted %d since %s, want 5 since %s", n, second.tracers[0].Created(), created)
	}
	second.leave(t)

	copyProgram(t, program, program+".new")
	if err := os.Rename(program+".new", program); err != nil {
		t.Fatal(err)
	}
	third := runPinned(t, path, compile(t, script))
	defer third.end(t)
	run(4)
	if n := total(t, third.tracers[0]); n != 4 || !strings.Contains(third.log.String(), program+" is another file now") {
		t.Errorf("counted %d, want 4; log %s", n, third.log)
	}
}

func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// entryOf is where in the file a program begins.
func entryOf(t *testing.T, name string) uint64 {
	t.Helper()
	file, err := elf.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_LOAD && file.Entry >= p.Vaddr && file.Entry < p.Vaddr+p.Filesz {
			return file.Entry - p.Vaddr + p.Off
		}
	}
	t.Fatalf("%s does not begin", name)
	return 0
}
