package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ply-exporter/internal/need"
)

// A run that ends before its command ends the command too, with everything it
// has started: for shells, the commands they wait for.
func TestRunEndsItsCommand(t *testing.T) {
	need.BPF(t)
	const forever = "sleep 1000"
	for _, row := range []struct {
		name, command, script string
		stdout                string
		status                int
	}{
		{"a time limit", "exec " + forever, "BEGIN { @ = 1; }", "\n@: 1\n", 0},
		{"exit()", forever, "interval:100ms { exit(3); }", "", 3},
		{"a pipeline, and what would follow it", forever + " | " + forever + "; echo after", "BEGIN { @ = 1; }", "\n@: 1\n", 0},
		{"one in the background", forever + " & wait", "BEGIN { @ = 1; }", "\n@: 1\n", 0},
		{"one that cleans up", "trap 'echo bye; exit 7' TERM; " + forever, "BEGIN { @ = 1; }", "\n@: 1\nbye\n", 0},
		{"one that is stopped", "kill -STOP $$; echo woke up", "BEGIN { @ = 1; }", "\n@: 1\n", 0},
		{"one whose part is stopped", "sh -c 'kill -STOP $$'; " + forever, "BEGIN { @ = 1; }", "\n@: 1\n", 0},
		{"one that starts others all the time", "while :; do sleep 1000 & sleep 0.01; done", "BEGIN { @ = 1; }", "\n@: 1\n", 0},
		{"another session", "setsid " + forever + " & wait", "BEGIN { @ = 1; }", "\n@: 1\n", 0},
	} {
		begin := time.Now()
		r := ply(t, "run", "-t", "0.3", "-c", withMark(t, row.command), row.script)
		if r.status != row.status || r.stdout != row.stdout || !strings.Contains(r.stderr, "terminating the command\n") || strings.Contains(r.stderr, "command:") {
			t.Errorf("%s: %+v", row.name, r)
		}
		if left := marked(t); len(left) > 0 || time.Since(begin) > grace {
			t.Errorf("%s: %d processes are left after %v", row.name, len(left), time.Since(begin))
		}
	}
}

// $target is the program itself, whatever shell starts it: of several words of
// the shell it is the shell.
func TestTargetIsTheProgram(t *testing.T) {
	need.EachArch(t)
	need.BPF(t)
	script := `kprobe:SyS_read / pid == $target && arg2 == 3001 / { @ = count(); }`
	for command, want := range map[string]string{
		"dd if=/dev/zero of=/dev/null bs=3001 count=7":            "\n@: 7\n",
		"dd if=/dev/zero of=/dev/null bs=3001 count=7 2>&1 >$NIL": "\n@: 7\n",
		"dd if=/dev/zero of=/dev/null bs=3001 count=7; :":         "",
	} {
		t.Setenv("NIL", "/dev/null")
		r := ply(t, "run", "-c", command, script)
		if _, maps, found := strings.Cut(r.stdout, "\n@"); r.status != 0 || found != (want != "") || found && "\n@"+maps != want {
			t.Errorf("%s: %+v", command, r)
		}
	}
	for _, command := range []string{"cd /", "exit 3", "true && false", "X=1 true", "no-such-command 5", " ", "(true)", "true & wait"} {
		if got := shellScript(command); got != command {
			t.Errorf("%q becomes %q", command, got)
		}
	}
}

// A script that ends in BEGIN never lets its command begin.
func TestExitInBEGINRunsNoCommand(t *testing.T) {
	need.BPF(t)
	if r := ply(t, "run", "-c", withMark(t, "echo begun"), "BEGIN { exit(4); }"); r.status != 4 || r.stdout != "" || strings.Contains(r.stderr, "command") {
		t.Errorf("%+v", r)
	}
	waitMarked(t, 0)
}

// A command that ignores SIGTERM does not hold the run up, which says how to
// be rid of it.
func TestCommandThatIgnoresSIGTERM(t *testing.T) {
	need.BPF(t)
	r := ply(t, "run", "-t", "0.1", "-c", withMark(t, "trap '' TERM; exec >&- 2>&-; sleep 1000; :"), "BEGIN { @ = 1; }")
	left := marked(t)
	for _, pid := range left {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if r.status != 0 || r.stdout != "\n@: 1\n" || len(left) != 2 {
		t.Errorf("%d processes are left, %+v", len(left), r)
	}
	want := "ply-exporter: the command did not exit within 5s of SIGTERM and is left running; to kill it: kill -KILL "
	_, rest, ok := strings.Cut(r.stderr, want)
	advice, _, _ := strings.Cut(rest, "\n")
	if !ok || len(strings.Fields(advice)) != 2 {
		t.Errorf("standard error\n%s\nhas no %q with two processes", r.stderr, want)
	}
}

// What a command leaves in the background when it ends is its own affair.
func TestDaemonsOutliveTheRun(t *testing.T) {
	need.BPF(t)
	begin := time.Now()
	r := ply(t, "run", "-c", withMark(t, "sleep 1000 >&- 2>&- & true"), "BEGIN { @ = 1; }")
	left := marked(t)
	for _, pid := range left {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if r.status != 0 || r.stdout != "\n@: 1\n" || len(left) != 1 || time.Since(begin) > patience {
		t.Errorf("%d processes are left, %+v", len(left), r)
	}
}

// Even a run that is killed leaves no command: neither one that runs, nor one
// that waits for its probes.
func TestKilledRunLeavesNoCommand(t *testing.T) {
	need.BPF(t)
	for _, held := range []bool{true, false} {
		p := startPly(t, nil, "run", "-c", withMark(t, "echo begun >&2; exec sleep 1000"), "BEGIN { @ = 1; }")
		waitMarked(t, 1)
		if !held {
			p.waitFor(t, "begun")
		}
		p.signal(t, syscall.SIGKILL)
		p.wait(t)
		waitMarked(t, 0)
	}
}

// The run's end by a reader who leaves is one of the command, too.
func TestCommandEndsWithTheReader(t *testing.T) {
	need.BPF(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := startPly(t, w, "run", "-c", withMark(t, "sleep 1000"), `interval:1ms { printf("y\n"); }`)
	_, _ = w.Close(), r.Close()
	p.waitFor(t, "terminating the command")
	if status := p.wait(t); status.ExitStatus() != 1 {
		t.Errorf("status %#x, want 1", status)
	}
	waitMarked(t, 0)
}

// When nobody reads the run's output, its command ends all the same, and so
// does the run when it is asked once more.
func TestOutputThatNobodyReads(t *testing.T) {
	need.BPF(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := startPly(t, w, "run", "-c", withMark(t, "dd if=/dev/zero of=/dev/null bs=1 count=2000; sleep 1000"),
		"kprobe:SyS_read / comm == \"dd\" / { printf(\"%500s\\n\", comm); } kprobe:SyS_nanosleep, kprobe:SyS_clock_nanosleep / comm == \"sleep\" / { exit(0); }")
	_ = w.Close()
	p.waitFor(t, "terminating the command")
	waitMarked(t, 0)
	select {
	case <-p.ended:
		t.Fatal("it did not wait for its reader")
	default:
	}
	p.signal(t, syscall.SIGTERM)
	if status := p.wait(t); status.ExitStatus() != 128+15 {
		t.Errorf("status %#x, want %d", status, 128+15)
	}
}

// markName is in the environment of a command whose processes are counted.
const markName = "PLY_TEST_MARK"

// withMark is a command that can be found again, with what it starts.
func withMark(t *testing.T, command string) string {
	return fmt.Sprintf("%s=%s%d; export %s; %s", markName, t.Name(), os.Getpid(), markName, command)
}

// marked returns the processes that have this test's mark and have not ended.
// A shell's own mark is in its children's environment only, so theirs counts.
func marked(t *testing.T) []int {
	t.Helper()
	mark := fmt.Sprintf("%s=%s%d", markName, t.Name(), os.Getpid())
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	for _, dir := range all {
		env, _ := os.ReadFile(filepath.Join(dir, "environ")) // empty for one that has ended
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && (strings.Contains(string(env), mark) || strings.HasPrefix(string(line), "sh\x00-c\x00"+mark)) {
			out = append(out, pid)
		}
	}
	return out
}

// waitMarked waits until n processes have the mark.
func waitMarked(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		left := marked(t)
		if len(left) == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d processes, want %d: %v", len(left), n, left)
		}
	}
}

// The tree of processes is read from files that anybody can put odd names in.
func TestFamily(t *testing.T) {
	for stat, want := range map[string]int{
		"7 (sh) S 3 7 7 0 -1":       3,
		"7 (a) b) R 1 7) S 4 7 7 0": 4,
		"7 () Z 12":                 12,
		"":                          0,
		"7 (sh":                     0,
	} {
		if parent, ok := parseParent([]byte(stat)); parent != want || ok != (want != 0) {
			t.Errorf("parent in %q is %d (%v), want %d", stat, parent, ok, want)
		}
	}
	got := fmt.Sprint(family(2, map[int]int{2: 1, 3: 2, 4: 3, 5: 1, 6: 5}))
	if got != "[2 3 4]" {
		t.Errorf("family is %s", got)
	}
	if _, ok := parents()[os.Getpid()]; !ok {
		t.Error("this process has no parent")
	}
}
