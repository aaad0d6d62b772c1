package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ply-exporter/internal/live"
	"ply-exporter/internal/need"
)

// copyBash puts a copy of the shell somewhere, which nobody else runs. It calls
// colon_builtin for each ":".
func copyBash(t *testing.T, to string) string {
	t.Helper()
	text, err := os.ReadFile(need.Command(t, "bash"))
	if err == nil {
		err = os.WriteFile(to, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// Each of many processes that live for a moment is counted, and their stacks are one, which
// has its names when all of them have ended.
func TestShortLivedProcesses(t *testing.T) {
	need.BPF(t)
	program := copyBash(t, filepath.Join(t.TempDir(), "short"))
	r := ply(t, "run", "-c", fmt.Sprintf("i=0; while [ $i -lt 1000 ]; do %s -c :; i=$((i+1)); done", program),
		"uprobe:"+program+":colon_builtin { @[ustack] = count(); @n = count(); @pids[pid] = count(); } END { clear(@pids); }")
	if r.status != 0 || strings.Count(r.stdout, "\tcolon_builtin\n") != 1 || !strings.Contains(r.stdout, " 1000\n\n@n: 1000\n") {
		t.Errorf("%+v", r)
	}
}

// A confined is a shell that sees other files and other numbers of processes.
type confined struct{ *live.Dialog }

// startConfined starts one that has this program at a path where nobody else sees it.
func startConfined(t *testing.T, path string) confined {
	t.Helper()
	need.Command(t, "mount")
	text := fmt.Sprintf("mount --make-rprivate / && mount -t tmpfs tmpfs %[1]s && cp %[2]s %[3]s && echo $$ && while read line; do eval \"$line\"; echo done; done",
		filepath.Dir(path), need.Command(t, "bash"), path)
	cmd := exec.Command("sh", "-c", text)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	c := confined{live.Talk(t, cmd)}
	if line, err := c.Out.ReadString('\n'); err != nil || line != "1\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return c
}

// do has it run a command, to its end.
func (c confined) do(t *testing.T, command string) {
	t.Helper()
	if _, err := io.WriteString(c.In, command+"\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := c.Out.ReadString('\n'); err != nil || line != "done\n" {
		t.Fatalf("%q, %v", line, err)
	}
}

// A program that only the processes of a container see is counted there, and its stacks
// have names when the process is gone.
func TestProgramOfAContainer(t *testing.T) {
	need.BPF(t)
	program := filepath.Join(t.TempDir(), "app")
	c := startConfined(t, program)
	if _, err := os.Stat(program); err == nil {
		t.Fatal("everybody sees the program")
	}
	s := startServer(t, fmt.Sprintf("scripts:\n  - name: a\n    script: |\n      uprobe:/proc/%d/root%s:colon_builtin { @calls[comm, ustack] = count(); }\n", c.Process.Pid, program))
	c.do(t, program+" -c ':; :; :'")
	_, body := s.get(t, "/metrics")
	if want := `ply_a_calls_total{comm="app",ustack="[unknown];colon_builtin"} 3`; !strings.Contains(body, want+"\n") {
		t.Errorf("no %s in\n%s", want, body)
	}
}

// Containers of one image have one file below their overlays, which a probe is attached to
// once, and one of their own when they have changed it.
func TestFilesOfOneImage(t *testing.T) {
	need.BPF(t)
	folder := t.TempDir()
	const setup = `set -e; mount -t tmpfs tmpfs $1; cd $1; mkdir low u1 w1 m1 u2 w2 m2; cp $2 low/app
		for i in 1 2; do mount -t overlay o -o lowerdir=low,upperdir=u$i,workdir=w$i m$i; done
		[ $3 = same ] || chmod 700 m1/app; shift 3; exec "$@"`
	for _, change := range []string{"same", "changed"} {
		cmd := plyCommand(context.Background(), "run", "-c", "m1/app -c ':; :; :'; m2/app -c :", "uprobe:"+folder+"/m?/app:colon_builtin { @ = count(); }")
		cmd.Args = append([]string{"unshare", "-m", "sh", "-c", setup, "sh", folder, need.Command(t, "bash"), change}, cmd.Args...)
		cmd.Path = need.Command(t, "unshare")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "@: 4\n") {
			t.Errorf("%s: %v\n%s", change, err, out)
		}
	}
}
