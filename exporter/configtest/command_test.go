package configtest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A command that hangs is killed, with all that it started, and after is run.
func TestHangingCommand(t *testing.T) {
	r := newTrial(t, `  - name: n
    timeout: 50ms
    command: (trap "" TERM; echo $$ >pid; sleep 1000 & sleep 1000)
    after: touch cleaned
    expect: [{series: ply_size_count, value: 0}]`)
	got, ok := r.run(t)
	if ok || !strings.Contains(got, "t.yaml:5:14: command: it did not end within 50ms, and was killed with its process group") {
		t.Errorf("got\n%s", got)
	}
	if _, err := os.Stat(filepath.Join(r.subject.folder, "cleaned")); err != nil {
		t.Error("after did not run")
	}
	r.waitGone(t)
}

// ^C kills the command, and after is run; tests behind it are not.
func TestInterrupt(t *testing.T) {
	r := newTrial(t, `  - name: n
    command: echo $$ >pid.new; mv pid.new pid; sleep 1000
    after: touch cleaned
    expect: [{series: ply_size_count, value: 0}]
  - name: o
    command: touch ran
    expect: [{series: ply_size_count, value: 0}]`)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for r.pid() == "" {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if r.Run(ctx, r.file) || !strings.Contains(r.out.String(), "    command: interrupted\n") {
		t.Errorf("got\n%s", r.out.String())
	}
	if _, err := os.Stat(filepath.Join(r.subject.folder, "cleaned")); err != nil {
		t.Error("after did not run")
	}
	if _, err := os.Stat(filepath.Join(r.subject.folder, "ran")); err == nil || r.subject.closes != 1 {
		t.Errorf("the next test ran: %v, closed %d times", err == nil, r.subject.closes)
	}
	r.waitGone(t)
}

// What before leaves in the background lives until the test ends.
func TestBackgroundOfBefore(t *testing.T) {
	r := newTrial(t, `  - name: n
    before: sleep 1000 & echo $! >pid
    command: kill -0 $(cat pid)
    expect: [{series: ply_size_count, value: 0}]`)
	if got, ok := r.run(t); !ok {
		t.Errorf("got\n%s", got)
	}
	r.waitGone(t)
}

func (r *trial) pid() string {
	text, _ := os.ReadFile(filepath.Join(r.subject.folder, "pid"))
	return strings.TrimSpace(string(text))
}

// waitGone waits until the process in the file pid no longer runs.
func (r *trial) waitGone(t *testing.T) {
	t.Helper()
	const patience = 10 * time.Second
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + r.pid() + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	t.Errorf("process %s still runs", r.pid())
}

// Of what commands print, the end is kept.
func TestLongOutput(t *testing.T) {
	r := newTrial(t, `  - name: n
    command: seq 100000; exit 1
    expect: [{series: ply_size_count, value: 0}]`)
	got, _ := r.run(t)
	if !strings.Contains(got, "    output:\n    …\n    9") || !strings.Contains(got, "\n    100000\n") || len(got) > 2*maxOutput {
		t.Errorf("%d bytes:\n%.200s", len(got), got)
	}
}

// What a command prints cannot give a terminal orders.
func TestOutputIsNotObeyed(t *testing.T) {
	r := newTrial(t, `  - name: n
    command: printf 'a\033[31mb\tc\n\377\n'; exit 1
    expect: [{series: ply_size_count, value: 0}]`)
	if r.Run(context.Background(), r.file) || !strings.Contains(r.out.String(), `a\x1b[31mb`+"\tc\n") || strings.Contains(r.out.String(), "\x1b") || strings.Contains(r.out.String(), "\xff") {
		t.Errorf("got\n%q", r.out.String())
	}
}
