package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// With -p, what other processes do is not counted, nor what the process has started, and
// the run ends with the process. It may be in a container, by whose files programs are found.
func TestOneProcess(t *testing.T) {
	need.BPF(t)
	folder := t.TempDir()
	program := filepath.Join(folder, "app")
	for _, attach := range []string{"auto", "plain"} {
		c := startConfined(t, program)
		if _, err := fmt.Fprintf(c.In, "exec %s -c 'read go; for i in 1 2 3; do :; done; (: ; :)'\n", program); err != nil {
			t.Fatal(err)
		}
		cmd := plyCommand(context.Background(), "run", "--attach="+attach, "-p", fmt.Sprint(c.Process.Pid),
			"uprobe:"+program+":colon_builtin { @calls[pid == $target] = count(); } BEGIN { @begun = count(); } tracepoint:raw_syscalls/sys_exit { @others[pid != $target] = count(); }")
		out, err := os.Create(filepath.Join(folder, "out"))
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout = out
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		for b := make([]byte, 1); !strings.Contains(said.String(), "active\n"); said.Write(b) {
			if _, err := stderr.Read(b); err != nil {
				t.Fatalf("%v: %s", err, said.String())
			}
		}
		if other := exec.Command(need.Command(t, "bash"), "-c", ":"); other.Run() != nil {
			t.Fatal("bash does not run")
		}
		fmt.Fprintln(c.In, "go")
		rest := make([]byte, 1<<16)
		for {
			n, err := stderr.Read(rest)
			if said.Write(rest[:n]); err != nil {
				break
			}
		}
		err = cmd.Wait()
		text, _ := os.ReadFile(out.Name())
		if got := strings.Join(strings.Fields(string(text)), " "); !onlyIts.MatchString(got) {
			t.Errorf("%s: %s", attach, got)
		}
		if want := fmt.Sprintf("process %d has ended\n", c.Process.Pid); err != nil || !strings.Contains(said.String(), want) {
			t.Errorf("%s: %v, %s", attach, err, said.String())
		}
	}
}

// onlyIts is what one process has done.
var onlyIts = regexp.MustCompile(`^@calls: 1 3 @begun: 1 @others: 0 [0-9]+$`)

// What is no process is an error that says so, and so is one that has ended.
func TestNoProcess(t *testing.T) {
	const none = "5000000" // no kernel has as many
	for _, row := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"-p", none}, 1, "there is no process " + none},
		{[]string{"-p", "0"}, 2, `"0" is no process ID`},
		{[]string{"-p", "-1"}, 2, `"-1" is no process ID`},
		{[]string{"-p", "init"}, 2, `"init" is no process ID`},
		{[]string{"-p", "99999999999999"}, 2, "is no process ID"},
		{[]string{"-p", "1", "-c", "true"}, 2, "leave out one of them"},
	} {
		r := ply(t, append(append([]string{"run", "-e"}, row.args...), "BEGIN { @ = count(); }")...)
		if r.status != row.status || !strings.Contains(r.stderr, row.want) {
			t.Errorf("%v: %+v", row.args, r)
		}
	}
	gone := exec.Command("/bin/true")
	if err := gone.Start(); err != nil {
		t.Fatal(err)
	}
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, gone.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	pid := fmt.Sprint(gone.Process.Pid)
	r := ply(t, "run", "-e", "-p", pid, "uprobe:/bin/bash:main { @ = count(); }")
	if r.status != 1 || r.stderr != "ply-exporter: process "+pid+" has ended\n" {
		t.Errorf("%+v", r)
	}
	if err := gone.Wait(); err != nil {
		t.Fatal(err)
	}
	r = ply(t, "run", "-e", "-p", fmt.Sprint(os.Getpid()), "kprobe:SyS_getppid ? interval:1s { @ = count(); }")
	if r.status != 1 || !strings.Contains(r.stderr, "script:1:22: interval:1s is of no process") {
		t.Errorf("%+v", r)
	}
}
