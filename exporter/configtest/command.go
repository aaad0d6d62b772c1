package configtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/tracer/decode"
)

// maxOutput is how much of what a test's commands print is kept: the last bytes.
const maxOutput = 16 << 10

// errInterrupted is the end of a command at ^C.
var errInterrupted = errors.New("interrupted")

// A shell runs the commands of one test. Each leads a process group; what is left
// of the groups is killed when the test ends, so that before may start a server.
type shell struct {
	folder string
	env    []string
	out    tail
	pipe   *os.File // that commands write to
	groups []int
}

// newShell returns a shell for commands in a folder.
func newShell(folder string, env []string) (*shell, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s := &shell{folder: folder, env: append(os.Environ(), env...), pipe: w}
	s.out.done = make(chan struct{})
	go s.out.readFrom(r)
	return s, nil
}

// run runs a command to its end. Its error says why it did not exit with the
// status.
func (s *shell) run(ctx context.Context, command string, timeout time.Duration, status int) error {
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.folder, s.env, s.pipe, s.pipe
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: Pdeathsig is sent at the end of this thread
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("cannot start it: %w", err)
	}
	defer s.note(cmd.Process.Pid)
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	select {
	case <-ended:
		return statusError(cmd.ProcessState, status)
	case <-limit.C:
		s.kill(cmd.Process.Pid, ended)
		return fmt.Errorf("it did not end within %v, and was killed with its process group: give it a longer timeout if it needs one", timeout)
	case <-ctx.Done():
		s.kill(cmd.Process.Pid, ended)
		return errInterrupted
	}
}

func (s *shell) kill(group int, ended <-chan error) {
	_ = unix.Kill(-group, unix.SIGKILL) // it may have ended
	<-ended
}

// note keeps a process group in mind that has processes left. The number of one
// that has none may soon be another's.
func (s *shell) note(group int) {
	if unix.Kill(-group, 0) == nil {
		s.groups = append(s.groups, group)
	}
}

// statusError says how a command ended otherwise than with that status.
func statusError(state *os.ProcessState, want int) error {
	ws, _ := state.Sys().(syscall.WaitStatus)
	expected := ""
	if want != 0 {
		expected = fmt.Sprintf(", expected %d", want)
	}
	switch {
	case ws.Signaled():
		return fmt.Errorf("it was killed by a signal: %s", ws.Signal())
	case ws.ExitStatus() != want:
		return fmt.Errorf("it exited with status %d%s", ws.ExitStatus(), expected)
	}
	return nil
}

// close kills what still runs.
func (s *shell) close() {
	for _, group := range s.groups {
		_ = unix.Kill(-group, unix.SIGKILL)
	}
	_ = s.pipe.Close()
}

// A tail keeps the last bytes that are written.
type tail struct {
	lock sync.Mutex
	text []byte
	cut  bool
	done chan struct{} // closed when nobody can write any more
}

func (t *tail) readFrom(r *os.File) {
	defer close(t.done)
	defer r.Close()
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		t.add(buf[:n])
		if err != nil {
			return
		}
	}
}

func (t *tail) add(b []byte) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - maxOutput; over > 0 {
		t.text, t.cut = append([]byte{}, t.text[over:]...), true
	}
}

// String returns what was kept, with nothing in it that a terminal obeys.
func (t *tail) String() string {
	t.lock.Lock()
	defer t.lock.Unlock()
	text := decode.ForPrintf.Escape(string(t.text))
	if t.cut {
		_, rest, _ := strings.Cut(text, "\n")
		text = "…\n" + rest
	}
	return text
}
