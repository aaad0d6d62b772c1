package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"ply-exporter/internal/need"
)

// patience is how long a test waits for what must happen soon.
const patience = 20 * time.Second

// A process is a command that runs.
type process struct {
	cmd    *exec.Cmd
	stderr io.Reader
	ended  chan error
}

// startPly starts the command; what it writes to standard error can be read.
func startPly(t *testing.T, stdout io.Writer, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	p := &process{cmd: plyCommand(ctx, args...), ended: make(chan error, 1)}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	p.cmd.Stdout, p.cmd.Stderr, p.stderr = stdout, w, r
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	go func() { p.ended <- p.cmd.Wait() }()
	return p
}

// waitFor reads standard error until a line contains text, and the rest of it
// behind the test's back.
func (p *process) waitFor(t *testing.T, text string) {
	t.Helper()
	lines := bufio.NewScanner(p.stderr)
	for lines.Scan() {
		if strings.Contains(lines.Text(), text) {
			go func() { _, _ = io.Copy(io.Discard, p.stderr) }()
			return
		}
	}
	t.Fatalf("standard error ended without %q", text)
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// wait returns how the process ended.
func (p *process) wait(t *testing.T) syscall.WaitStatus {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatal("did not end")
	}
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok {
		t.Fatal("no wait status")
	}
	return status
}

func TestSIGTERMWhileStarting(t *testing.T) {
	need.BPF(t)
	p := startPly(t, nil, "--config", writeFile(t, "probes.yaml", exactConfig), "--web.listen-address", freeAddress(t))
	p.waitFor(t, "Listening on")
	p.signal(t, syscall.SIGTERM)
	if status := p.wait(t); status.ExitStatus() != 0 {
		t.Errorf("status %#x, want 0", status)
	}
}

// SIGHUP neither ends the exporter nor resets what it has counted.
func TestSIGHUPDoesNotEndTheExporter(t *testing.T) {
	need.BPF(t)
	s := startServer(t, exactConfig)
	runWorkload(t, 10)
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.waitLog(t, "configuration reloaded")
	runWorkload(t, 10)
	if status, text := s.get(t, "/metrics"); status != http.StatusOK || !strings.Contains(text, `ply_calls_total{func="sys_getpriority"} 20`+"\n") {
		t.Errorf("status %d after SIGHUP, and\n%s", status, text)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("status %v\n%s", err, s.logText(t))
	}
}

// A scrape that is under way is answered in full, and the process ends with 0.
func TestSIGTERMDuringScrapes(t *testing.T) {
	need.BPF(t)
	s := startServer(t, exactConfig)
	scraped, cut := make(chan bool, 1000), make(chan error, 4)
	for range 4 {
		go func() { cut <- scrapeUntilGone(s.address, scraped) }()
	}
	<-scraped
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("status %v\n%s", err, s.logText(t))
	}
	for range 4 {
		if err := <-cut; err != nil {
			t.Errorf("an answer was cut off: %v", err)
		}
	}
}

// scrapeUntilGone scrapes until nobody answers, and returns an error when an
// answer that had begun did not end.
func scrapeUntilGone(address string, scraped chan<- bool) error {
	for {
		r, err := http.Get("http://" + address + "/metrics")
		if err != nil {
			return nil
		}
		_, err = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
		if err != nil {
			return err
		}
		select {
		case scraped <- true:
		default:
		}
	}
}

// ^C and SIGTERM are normal ends of a run, once or twice.
func TestRunIsInterrupted(t *testing.T) {
	need.BPF(t)
	for _, row := range []struct {
		name    string
		signals []syscall.Signal
	}{
		{"^C", []syscall.Signal{syscall.SIGINT}},
		{"^C twice", []syscall.Signal{syscall.SIGINT, syscall.SIGINT}},
		{"SIGTERM", []syscall.Signal{syscall.SIGTERM}},
		{"SIGHUP", []syscall.Signal{syscall.SIGHUP}},
	} {
		var out strings.Builder
		p := startPly(t, &out, "run", "BEGIN { @ = 1; printf(\"go\\n\"); } interval:1h { }")
		p.waitFor(t, " active")
		for _, s := range row.signals {
			p.signal(t, s)
		}
		status := p.wait(t)
		atOnce := len(row.signals) > 1 && status.ExitStatus() == 130
		if !atOnce && (status.ExitStatus() != 0 || out.String() != "go\n\n@: 1\n") {
			t.Errorf("%s: status %#x, output %q", row.name, status, out.String())
		}
	}
}

// The first signal takes no maps away, whatever ended the run, while the probes
// are still being detached.
func TestSignalWhileDetaching(t *testing.T) {
	need.BPF(t)
	var out strings.Builder
	p := startPly(t, &out, "run", "-t", "0.3", "tracepoint:kmem:* / pid == 0 && pid == 1 / { @[probe] = count(); } BEGIN { @x = 1; } END { exit(3); }")
	p.waitFor(t, "de-activating probes")
	p.signal(t, syscall.SIGINT)
	if status := p.wait(t); status.ExitStatus() != 3 || out.String() != "\n@x: 1\n" {
		t.Errorf("status %#x, output %q", status, out.String())
	}
}

// A timer counts no longer than it was asked to, whatever else has to be
// detached.
func TestTimeLimitIsExact(t *testing.T) {
	need.BPF(t)
	r := ply(t, "run", "-f", "json", "-t", "1", "-c", "while :; do :; done", "tracepoint:@(kmem|writeback|sched|block):* { @[probe] = count(); } profile:98hz { @b = count(); }")
	_, b, found := strings.Cut(r.stdout, `"@b","data":[{"key":[],"value":`)
	n := 0
	if _, err := fmt.Sscanf(b, "%d", &n); err != nil || !found {
		t.Fatalf("no @b in %+v", r)
	}
	if most := 200 * runtime.NumCPU(); n > most || n == 0 { // to detach the others takes many seconds
		t.Errorf("98 samples a second of %d processors came to %d in a second", runtime.NumCPU(), n)
	}
}

// ^\ ends a run at once, without maps and without a stack trace.
func TestRunQuits(t *testing.T) {
	need.BPF(t)
	var out strings.Builder
	p := startPly(t, &out, "run", "BEGIN { @ = 1; } interval:1h { }")
	p.waitFor(t, " active")
	p.signal(t, syscall.SIGQUIT)
	if status := p.wait(t); status.ExitStatus() != 131 || out.String() != "" {
		t.Errorf("status %#x, output %q", status, out.String())
	}
}

// "run … | head -1" ends by itself, as other commands do: by SIGPIPE, or with
// status 1.
func TestReaderOfTheOutputLeaves(t *testing.T) {
	need.BPF(t)
	for _, format := range []string{"text", "json"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		p := startPly(t, w, "run", "-f", format, `interval:1ms { printf("y\n"); }`)
		_ = w.Close()
		if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
			t.Errorf("%s: no line: %v", format, err)
		}
		_ = r.Close()
		if status := p.wait(t); status.ExitStatus() != 1 && !(status.Signaled() && status.Signal() == syscall.SIGPIPE) {
			t.Errorf("%s: status %#x", format, status)
		}
	}
}

// However the command of -c ends, the run ends with it, prints its maps, and
// says on standard error what became of the command.
func TestEndsOfTheCommand(t *testing.T) {
	need.BPF(t)
	for _, row := range []struct {
		command, stdin, stdout, stderr string
		status                         int
	}{
		{"true", "", "", "", 0},
		{":", "", "", "", 0},
		{"/nowhere/command", "", "", "ply-exporter: the command could not be run: exit status 127\n", 1},
		{"exec /nowhere/command", "", "", "ply-exporter: the command could not be run: exit status 127\n", 1},
		{"/etc", "", "", "ply-exporter: the command could not be run: exit status 126\n", 1},
		{"/etc/passwd", "", "", "ply-exporter: the command could not be run: exit status 126\n", 1},
		{"kill -KILL $$", "", "", "ply-exporter: command: signal: killed\n", 0},
		{"false", "", "", "ply-exporter: command: exit status 1\n", 0},
		{"if", "", "", "ply-exporter: command: exit status 2\n", 0},
		{"cat", "its input\n", "its input\n", "", 0},
		{"exec <&- >&-; true", "", "", "", 0},
	} {
		r := plyInput(t, row.stdin, "run", "-c", row.command, "BEGIN { @ = 1; }")
		if r.status != row.status || r.stdout != row.stdout+"\n@: 1\n" || !strings.Contains(r.stderr, row.stderr) {
			t.Errorf("%q: %+v", row.command, r)
		}
		if row.stderr == "" && strings.Contains(r.stderr, "command:") {
			t.Errorf("%q: %q", row.command, r.stderr)
		}
	}
}

// A script from standard input leaves none for the command.
func TestCommandAfterScriptFromStandardInput(t *testing.T) {
	need.BPF(t)
	if r := plyInput(t, "BEGIN { @ = 1; }\n", "run", "-c", "cat", "-"); r.status != 0 || r.stdout != "\n@: 1\n" {
		t.Errorf("%+v", r)
	}
}

// A wrong script never lets its command begin.
func TestWrongScriptRunsNoCommand(t *testing.T) {
	if r := ply(t, "run", "-c", "echo begun", "BEGIN { @ = pidd; }"); r.status != 1 || r.stdout != "" {
		t.Errorf("%+v", r)
	}
}
