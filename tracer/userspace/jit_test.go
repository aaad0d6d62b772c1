package userspace

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Java, Erlang, node and Python write numbers differently.
func TestPieces(t *testing.T) {
	got := parsePieces(strings.NewReader(strings.Join([]string{
		"0x00007f0000001000 0x0000000000000100 LMain;::spin(I)I",
		"0x7f0000002000 80 erl:f/1",
		"7f0000003000 40 JS:*hot app.js:1:1",
		"7f0000003800 40 JS:~cold app.js:9:1", // bytecode
		"7f0000001080 100 later over the end", // the first is gone
		"", "7f0000004000", "zz 10 x", "10 zz x", "7f0000005000 0 empty", "ffffffffffffffff 2 beyond the end", "7f0000006000 10 ",
	}, "\n")))
	var names []string
	for _, p := range got {
		names = append(names, p.name)
	}
	if want := []string{"later over the end", "erl:f/1", "JS:*hot app.js:1:1"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	again := parsePieces(strings.NewReader("100 100 long\n140 10 short\n180 10 newest\n100 10 first\n"))
	if len(again) != 3 || again[0].name != "first" || again[1].name != "short" || again[2].name != "newest" {
		t.Errorf("pieces that replace one: %+v", again)
	}
}

// A process's code is named by the file in its own /tmp, by its own number; a file that
// is older than the process is another's.
func TestJIT(t *testing.T) {
	proc := t.TempDir()
	write(t, proc, "stat", "cpu 1 2 3\nbtime 1000\nprocesses 5\n")
	write(t, proc, "7/status", "Name:\tnode\nNSpid:\t7\t3\nSeccomp: 0\n")
	write(t, proc, "7/stat", "7 (a) b) S 1 7 7 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 5000 0 0\n") // 50 s after the start
	write(t, proc, "7/maps", "7f00-8000 rwxp 00000000 00:00 0\n")
	file := write(t, proc, "7/root/tmp/perf-3.map", "7f00 10 spin\n")
	n := newNames(proc, nil, nil)
	if got := n.inProcess(7, 0x7f04); got.Function != "spin" || got.In != 4 {
		t.Errorf("%+v", got)
	}
	if got := n.inProcess(7, 0x7f10); got != (Place{}) {
		t.Errorf("behind it is %+v", got)
	}
	write(t, proc, "7/root/tmp/perf-3.map", "7f00 10 spin\n7f10 10 again\n")
	if got := n.inProcess(7, 0x7f10); got.Function != "again" {
		t.Errorf("what was added is %+v", got)
	}
	if err := os.Chtimes(file, time.Time{}, time.Unix(1049, 0)); err != nil {
		t.Fatal(err)
	}
	if got := n.inProcess(7, 0x7f04); got != (Place{}) {
		t.Errorf("another's is %+v", got)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	ours := write(t, t.TempDir(), "ours", "7f00 10 ours\n")
	if err := os.Symlink(ours, file); err != nil {
		t.Fatal(err)
	}
	if got := n.inProcess(7, 0x7f04); got != (Place{}) {
		t.Errorf("a link to a file of ours gives %+v", got)
	}
	if got := n.inProcess(8, 0x7f04); got != (Place{}) {
		t.Errorf("a process that is gone has %+v", got)
	}
}

func write(t *testing.T, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
