package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// On a terminal -i draws the maps in place, with blocks where the locale has
// them; on anything else it prints them one below the other.
func TestRedraw(t *testing.T) {
	need.BPF(t)
	const blocks, bars = "████████████████████████████████████████", "|########################################|"
	const home = "\x1b[H\x1b[J"
	for _, row := range []struct {
		name     string
		terminal bool
		env      []string
		has, not []string
	}{
		{"terminal", true, []string{"TERM=xterm", "LC_ALL=C.UTF-8"}, []string{home, blocks}, []string{bars}},
		{"terminal without UTF-8", true, []string{"TERM=xterm", "LC_ALL=C"}, []string{home, bars}, []string{blocks}},
		{"dumb terminal", true, []string{"TERM=dumb", "LC_ALL=C.UTF-8"}, []string{bars}, []string{home, blocks}},
		{"pipe", false, []string{"TERM=xterm", "LC_ALL=C.UTF-8"}, []string{bars}, []string{home, blocks}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := runOn(t, row.terminal, row.env, "run", "-i", "50ms", "-t", "500ms", "BEGIN { @ = quantize(5); }")
			for _, text := range row.has {
				if strings.Count(got, text) < 2 {
					t.Errorf("%q is not there twice:\n%q", text, got)
				}
			}
			for _, text := range row.not {
				if strings.Contains(got, text) {
					t.Errorf("%q is there:\n%q", text, got)
				}
			}
		})
	}
}

// runOn runs the program with its output on a terminal or on a pipe, and
// returns all of it.
func runOn(t *testing.T, terminal bool, env []string, args ...string) string {
	t.Helper()
	r, w := outputs(t, terminal)
	defer r.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := plyCommand(ctx, args...)
	cmd.Env = append(cmd.Environ(), env...)
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	out, _ := io.ReadAll(r) // of a terminal nobody has open any more, EIO is the end
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	return string(out)
}

// outputs returns the two ends of a terminal or of a pipe.
func outputs(t *testing.T, terminal bool) (r, w *os.File) {
	t.Helper()
	var err error
	if terminal {
		r, w, err = openTerminal()
	} else {
		r, w, err = os.Pipe()
	}
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

func openTerminal() (ours, theirs *os.File, err error) {
	ours, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		return nil, nil, err
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	return ours, theirs, err
}

// Names of files that anybody has chosen are no orders for the terminal, in lists and in messages.
func TestNamesForATerminal(t *testing.T) {
	folder := t.TempDir()
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"app\x1b[2J": program, "text\x1b[2J": []byte("no program")} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		args           []string
		status         int
		stdout, stderr string
	}{
		{[]string{"list", "uprobe:" + folder + "/a*:main.main"}, 0, "uprobe:" + folder + `/app\x1b[2J:main.main` + "\n", ""},
		{[]string{"list", "uprobe:" + folder + "/t*:main.main"}, 1, "", "ply-exporter: " + folder + `/text\x1b[2J is not a program`},
		{[]string{"run", "-e", "uprobe:" + folder + "/a*:none { @ = count(); }"}, 1, "", "script:1:1: no function none in " + folder + `/app\x1b[2J` + "\n"},
		{[]string{"check", "--config", folder + "/\x1b[2J"}, 1, "", "configuration " + folder + `/\x1b[2J: no such`},
		{[]string{"\x1b[2J"}, 2, "", `ply-exporter: unexpected \x1b[2J; see`},
	} {
		if r := ply(t, row.args...); r.status != row.status || r.stdout != row.stdout || !strings.HasPrefix(r.stderr, row.stderr) {
			t.Errorf("%q: %+v", row.args, r)
		}
	}
}
