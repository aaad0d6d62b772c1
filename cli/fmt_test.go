package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

const (
	old2016     = "kprobe:SyS_* { $syscalls[func].count() } # who\n"
	oldToday    = "kprobe:SyS_* { $syscalls[func] = count(); } # who\n"
	wrongScript = "BEGIN {\n  @x = ;\n}\n"
)

// fmt prints scripts from files and from standard input.
func TestFmt(t *testing.T) {
	file, wrong := writeFile(t, "a.ply", old2016), writeFile(t, "b.ply", wrongScript)
	for _, row := range []struct {
		args []string
		want result
	}{
		{[]string{file, file}, result{oldToday + oldToday, "", 0}},
		{[]string{"-"}, result{oldToday, "", 0}},
		{[]string{"-l", "-"}, result{"standard input\n", "", 1}},
		{[]string{"-l", file}, result{file + "\n", "", 1}},
		{[]string{wrong, file}, result{oldToday, wrong + ":2:8: expected a value, found \";\"\n      @x = ;\n           ^\n", 1}},
		{[]string{"-w", "-"}, result{"", "ply-exporter: fmt: -w cannot be used with standard input; see ply-exporter --help\n", 2}},
		{[]string{"-w", "-l", file}, result{"", "ply-exporter: fmt: -l and -w cannot be used together; see ply-exporter --help\n", 2}},
		{[]string{"/dev/zero"}, result{"", "ply-exporter: /dev/zero is too large to be a script\n", 1}},
	} {
		if r := plyInput(t, old2016, append([]string{"fmt"}, row.args...)...); r != row.want {
			t.Errorf("%q: %+v\nwant %+v", row.args, r, row.want)
		}
	}
	if text, _ := os.ReadFile(file); string(text) != old2016 {
		t.Errorf("the file holds %q", text)
	}
}

// fmt -w changes the files that need it, and nothing else of them.
func TestFmtWrites(t *testing.T) {
	file, wrong := writeFile(t, "a.ply", old2016), writeFile(t, "b.ply", wrongScript)
	if err := os.Chmod(file, 0o750); err != nil { //nolint:gosec // a script that runs
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.ply")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if r := ply(t, "fmt", "-w", wrong, link); r.status != 1 || r.stdout != "" {
		t.Errorf("%+v", r)
	}
	info, err := os.Lstat(link)
	text, _ := os.ReadFile(file)
	if stat, _ := os.Stat(file); string(text) != oldToday || stat.Mode() != 0o750 || err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the file holds %q with mode %v, the link is %v", text, stat.Mode(), info)
	}
	if text, _ := os.ReadFile(wrong); string(text) != wrongScript {
		t.Errorf("the wrong file holds %q", text)
	}
	if r := ply(t, "fmt", "-l", file); r != (result{"", "", 0}) {
		t.Errorf("-l of a file that was written: %+v", r)
	}
	longer := writeFile(t, "c.ply", "BEGIN   {   @x   =   1   ;   }\n\n\n\n")
	if r := ply(t, "fmt", "-w", longer); r != (result{"", "", 0}) {
		t.Errorf("%+v", r)
	}
	if text, _ := os.ReadFile(longer); string(text) != "BEGIN { @x = 1; }\n" {
		t.Errorf("the file that becomes shorter holds %q", text)
	}
}

// A recording that does not fit on the disk leaves the one before as it was.
func TestRecordFullDisk(t *testing.T) {
	need.Root(t)
	need.Command(t, "unshare")
	disk := t.TempDir()
	r := under(t, programForAll(t), "exec unshare -m sh -c 'mount -t tmpfs -o size=4k none "+disk+" && echo before > "+disk+
		`/k.zip && ! "$@" && cat `+disk+`/k.zip' sh "$@"`, "record", disk+"/k.zip")
	if r.stdout != "before\n" || !strings.Contains(r.stderr, "/k.zip: no space left on device") {
		t.Errorf("%+v", r)
	}
}

// A script that does not fit on the disk any more is kept as it was.
func TestFmtFullDisk(t *testing.T) {
	need.Root(t)
	need.Command(t, "unshare")
	text := strings.Repeat("BEGIN{@a=1;@b=2}\n", 200)
	script, disk := writeFile(t, "a.ply", text), t.TempDir()
	r := under(t, programForAll(t), "exec unshare -m sh -c 'mount -t tmpfs -o size=4k none "+disk+" && cat "+script+" > "+disk+
		`/b.ply && ! "$@" && cat `+disk+`/b.ply' sh "$@"`, "fmt", "-w", disk+"/b.ply")
	if r.stdout != text || !strings.Contains(r.stderr, "/b.ply: no space left on device") {
		t.Errorf("%+v", r)
	}
}
