package cli

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// grace is how long a command has to exit after SIGTERM.
const grace = 5 * time.Second

// A child is the command of -c. It is stopped at its first instruction, so
// that its process ID is known before the script is compiled and nothing it
// does is missed; release resumes it. A nil child stands for no command.
type child struct {
	Streams
	cmd     *exec.Cmd
	letGo   chan struct{}
	started chan error
	done    chan struct{}
	ending  atomic.Bool // we asked it to exit: its status is not reported
	unable  bool        // the shell could not run it; set before done is closed
	once    sync.Once   // for end
}

// startChild starts "sh -c command" stopped. All requests to a stopped process
// must come from the thread that started it, so one goroutine owns it. The
// command does not outlive this process even if that is killed: the kernel
// kills a stopped command, and sends SIGTERM to a running one.
func startChild(streams Streams, command string) (*child, error) {
	if command == "" {
		return nil, nil
	}
	c := &child{Streams: streams, letGo: make(chan struct{}), started: make(chan error), done: make(chan struct{})}
	c.cmd = exec.Command("sh", "-c", shellScript(command))
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = c.In, c.Out, c.Err
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGTERM}
	go c.own()
	switch err := <-c.started; {
	case errors.Is(err, syscall.EPERM):
		return nil, fmt.Errorf("cannot start %q: -c stops the command by ptrace until the probes are attached, and ptrace is not permitted here: "+
			"check kernel.yama.ptrace_scope and the container's seccomp profile, or start the command separately", command)
	case err != nil:
		return nil, fmt.Errorf("cannot start %q: %w", command, err)
	}
	return c, nil
}

// shellScript returns the argument of sh -c. Some shells fork even for a single
// program, which then is not $target; exec makes it replace the shell. It is
// added only to what is certainly one program.
func shellScript(command string) string {
	words := strings.Fields(command)
	separates := strings.ContainsAny(strings.ReplaceAll(command, ">&", ""), "\n;&|(){}`")
	if len(words) == 0 || separates {
		return command
	}
	if _, err := exec.LookPath(words[0]); err != nil {
		return command // a keyword of the shell, or not found, which the shell reports
	}
	return "exec " + command
}

func (c *child) own() {
	runtime.LockOSThread() // never unlocked: Pdeathsig is sent at the end of this thread
	defer close(c.done)
	err := c.cmd.Start()
	if err == nil {
		err = c.hold()
	}
	c.started <- err
	if err != nil {
		return
	}
	<-c.letGo
	if err := syscall.PtraceDetach(c.pid()); err != nil && !errors.Is(err, syscall.ESRCH) {
		fmt.Fprintf(c.Err, "%scannot resume the command: %v\n", c.prefix(), err)
		_ = c.cmd.Process.Kill()
	}
	err = c.cmd.Wait()
	code := c.cmd.ProcessState.ExitCode()
	c.unable = code == notExecutable || code == notFound
	switch {
	case err == nil || c.ending.Load():
	case c.unable:
		fmt.Fprintf(c.Err, "%sthe command could not be run: %v\n", c.prefix(), err)
	default:
		fmt.Fprintf(c.Err, "%scommand: %v\n", c.prefix(), err)
	}
}

// Exit statuses of a shell that could not run a command.
const (
	notExecutable = 126
	notFound      = 127
)

// status is the exit status of a run that ends with its command. A command that
// fails does not make the run fail, but one that could not be run does.
func (c *child) status() int {
	if c.unable {
		return statusError
	}
	return statusOK
}

// hold waits until the command is stopped at its first instruction.
func (c *child) hold() error {
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(c.pid(), &ws, 0, nil); err != nil {
		return err
	}
	if !ws.Stopped() {
		return errors.New("it was killed before it started")
	}
	return syscall.PtraceSetOptions(c.pid(), unix.PTRACE_O_EXITKILL)
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// release resumes the command and returns a channel that is closed when it has
// exited; for a nil child, one that never is.
func (c *child) release() <-chan struct{} {
	if c == nil {
		return nil
	}
	close(c.letGo)
	return c.done
}

// end makes the command end with the run. One that was never resumed is killed.
// A running one gets SIGTERM, as do its descendants, and some time to exit;
// after that, a message says how to kill it.
func (c *child) end() {
	if c != nil {
		c.once.Do(c.endOnce)
	}
}

func (c *child) endOnce() {
	select {
	case <-c.letGo:
	default:
		c.ending.Store(true)
		_ = c.cmd.Process.Kill()
		close(c.letGo)
		<-c.done
	}
	select {
	case <-c.done:
		return
	default:
	}
	c.terminate()
	fmt.Fprintln(c.Err, "terminating the command")
	select {
	case <-c.done:
	case <-time.After(grace):
		pids := strings.Trim(fmt.Sprint(family(c.pid(), parents())), "[]")
		fmt.Fprintf(c.Err, "%sthe command did not exit within %v of SIGTERM and is left running; to kill it: kill -KILL %s\n", c.prefix(), grace, pids)
	}
}

// terminate sends SIGTERM to the command and its descendants, and SIGCONT to
// have stopped ones handle it.
func (c *child) terminate() {
	if c == nil {
		return
	}
	c.ending.Store(true)
	all := freeze(c.pid())
	for _, s := range []syscall.Signal{unix.SIGTERM, unix.SIGCONT} {
		for _, pid := range all {
			_ = unix.Kill(pid, s) // it may have ended, or belong to another user
		}
	}
}
