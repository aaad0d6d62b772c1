package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// A layout is files and folders that a test makes: modes of what ends in a slash
// are those of folders, and what has an arrow is a link.
type layout struct {
	path  string
	mode  fs.FileMode
	owner int
	link  string
}

func (l layout) make(t *testing.T, top string) {
	t.Helper()
	name := filepath.Join(top, l.path)
	var err error
	switch {
	case l.link != "":
		err = os.Symlink(l.link, name)
	case strings.HasSuffix(l.path, "/"):
		err = os.Mkdir(name, 0o755)
	default:
		err = os.WriteFile(name, []byte("BEGIN { @ = 1; }\n"), 0o600)
	}
	if err == nil && l.mode != 0 {
		err = os.Chmod(name, l.mode)
	}
	if err == nil {
		err = os.Lchown(name, l.owner, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
}

const open, sticky = 0o777, fs.ModeSticky | 0o777

// Root runs no script that others may change.
func TestWriters(t *testing.T) {
	need.Root(t)
	t.Setenv("SUDO_UID", "1000")
	for _, row := range []struct {
		name   string
		layout []layout
		want   string // DIR is where the layout is
	}{
		{"root's", []layout{{"s.ply", 0o644, 0, ""}}, ""},
		{"the user's who called sudo", []layout{{"home/", 0o755, 1000, ""}, {"home/s.ply", 0o664, 1000, ""}}, ""},
		{"everybody's file", []layout{{"s.ply", 0o666, 0, ""}},
			`NAME: all users may write to the file and could run programs in the kernel with it: run "chmod o-w DIR/s.ply", or use --allow-writable`},
		{"somebody else's", []layout{{"s.ply", 0o600, 1001, ""}},
			`NAME: user 1001 owns the file and could run programs in the kernel with it: run "chown root DIR/s.ply", or use --allow-writable`},
		{"in everybody's folder", []layout{{"d/", open, 0, ""}, {"d/s.ply", 0o644, 0, ""}},
			`NAME: all users may write to the folder DIR/d and could run programs in the kernel with it: run "chmod o-w DIR/d", or use --allow-writable`},
		{"below somebody's folder", []layout{{"d/", 0o755, 1001, ""}, {"d/e/", 0o755, 0, ""}, {"d/e/s.ply", 0o644, 0, ""}},
			`NAME: user 1001 owns the folder DIR/d and could run programs in the kernel with it: run "chown root DIR/d", or use --allow-writable`},
		{"ours in a folder like /tmp", []layout{{"d/", sticky, 0, ""}, {"d/s.ply", 0o644, 0, ""}}, ""},
		{"somebody else's in a folder like /tmp", []layout{{"d/", sticky, 0, ""}, {"d/s.ply", 0o644, 1001, ""}},
			`NAME: user 1001 owns the file and could run programs in the kernel with it: run "chown root DIR/d/s.ply", or use --allow-writable`},
		{"as Kubernetes mounts it", []layout{
			{"..2026/", 0o755, 0, ""}, {"..2026/s.ply", 0o644, 0, ""}, {"..data", 0, 0, "..2026"}, {"s.ply", 0, 0, "..data/s.ply"},
		}, ""},
		{"a link to everybody's", []layout{{"d/", open, 0, ""}, {"d/s.ply", 0o644, 0, ""}, {"s.ply", 0, 0, "d/../d/s.ply"}},
			`NAME: all users may write to the folder DIR/d and could run programs in the kernel with it: run "chmod o-w DIR/d", or use --allow-writable`},
	} {
		t.Run(row.name, func(t *testing.T) {
			top := t.TempDir()
			for _, l := range row.layout {
				l.make(t, top)
			}
			name := filepath.Join(top, row.layout[len(row.layout)-1].path)
			want := strings.NewReplacer("NAME", name, "DIR", top).Replace(row.want)
			t.Chdir(top)
			relative, err := filepath.Rel(top, name)
			if err != nil {
				t.Fatal(err)
			}
			for _, given := range []string{name, "./" + relative} {
				want := strings.Replace(want, name+":", given+":", 1)
				if got := verified(t, given, false); got != want {
					t.Errorf("%s: got:\n%s\nwant:\n%s", given, got, want)
				}
				if got := verified(t, given, true); got != "" {
					t.Errorf("%s: allowed, and yet %s", given, got)
				}
			}
		})
	}
}

// Nobody writes to a read-only mount, whatever the modes in it: a ConfigMap's
// folder has 0777.
func TestWritersOfReadOnlyMounts(t *testing.T) {
	need.BPF(t)
	top := t.TempDir()
	if err := unix.Mount("none", top, "tmpfs", 0, "mode=0777"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(top, unix.MNT_DETACH) })
	layout{path: "s.ply", mode: 0o644}.make(t, top)
	name := filepath.Join(top, "s.ply")
	if got := verified(t, name, false); !strings.Contains(got, "all users may write to the folder "+top) {
		t.Errorf("writable: %q", got)
	}
	if err := unix.Mount("none", top, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if got := verified(t, name, false); got != "" {
		t.Errorf("read-only: %s", got)
	}
}

// A folder of a process is no way around, nor is a pipe with a name.
func TestWritersInProc(t *testing.T) {
	need.Root(t)
	top := t.TempDir()
	for _, l := range []layout{{"d/", open, 0, ""}, {"d/s.ply", 0o644, 0, ""}, {"t/", sticky, 0, ""}} {
		l.make(t, top)
	}
	t.Chdir(top)
	for _, way := range []string{"/proc/self/cwd/d/s.ply", "/proc/self/root" + top + "/d/s.ply"} {
		if got := verified(t, way, false); !strings.Contains(got, "all users may write to the folder "+top+"/d") {
			t.Errorf("%s: %q", way, got)
		}
	}
	pipe := top + "/t/pipe"
	if err := errors.Join(unix.Mkfifo(pipe, 0o600), os.Chown(pipe, 1001, 0)); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(pipe, os.O_RDWR, 0) // which does not wait for a writer
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := (writers{trusted: []uint32{0}}).verify(pipe, file); err == nil || !strings.Contains(err.Error(), "user 1001 owns the file") {
		t.Errorf("a pipe of somebody else: %v", err)
	}
}

// A link is examined too; most kernels follow none in a folder like /tmp that is
// somebody else's.
func TestWritersOfLinks(t *testing.T) {
	need.Root(t)
	top := t.TempDir()
	for _, l := range []layout{{"real.ply", 0o644, 0, ""}, {"d/", sticky, 0, ""}, {"d/s.ply", 0, 1001, "../real.ply"}} {
		l.make(t, top)
	}
	_, err := (writers{trusted: []uint32{0}}).walk("s.ply", strings.Split(top+"/d/s.ply", "/"))
	want := "s.ply: user 1001 owns the link " + top + "/d/s.ply and could run programs"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// verified returns why a file is refused.
func verified(t *testing.T, name string, allow bool) string {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if verify := verifyWriters(allow); verify != nil {
		err = verify(name, file)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// A file that is replaced by another one after it was opened is not run.
func TestReplacedFile(t *testing.T) {
	need.Root(t)
	name := filepath.Join(t.TempDir(), "s.ply")
	layout{path: "s.ply", mode: 0o644}.make(t, filepath.Dir(name))
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	layout{path: "s.ply", mode: 0o644}.make(t, filepath.Dir(name))
	if err := verifyWriters(false)(name, file); err == nil || !strings.HasSuffix(err.Error(), "was replaced while it was read: try again") {
		t.Errorf("got %v", err)
	}
}

// Every command refuses such files, and a script that a configuration names is
// refused at its line.
func TestCommandsRefuseWritableFiles(t *testing.T) {
	need.Root(t)
	top := t.TempDir()
	layout{path: "s.ply", mode: 0o666}.make(t, top)
	script, config := filepath.Join(top, "s.ply"), filepath.Join(top, "probes.yaml")
	if err := os.WriteFile(config, []byte("scripts:\n  - name: a\n    file: s.ply\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused := script + ": all users may write to the file"
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"run", "-e", script}, "ply-exporter: " + refused},
		{[]string{"check", "--config", config}, config + ":3:11: " + refused},
		{[]string{"serve", "--config", config}, config + ":3:11: " + refused},
	} {
		if r := ply(t, row.args...); r.status != 1 || !strings.HasPrefix(r.stderr, row.want) {
			t.Errorf("%q: %+v", row.args, r)
		}
	}
	if r := ply(t, "run", "-e", "--allow-writable", script); r.status != 0 {
		t.Errorf("allowed: %+v", r)
	}
	if r := plyInput(t, "BEGIN { @ = 1; }", "run", "-e", "/proc/self/fd/0"); r.status != 0 {
		t.Errorf("a pipe: %+v", r)
	}
}
