package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// A child is the command of -c. It is stopped at its first instruction, so
// that its process id is known before the script is compiled and nothing it
// does is missed; release lets it go. A nil child is no command.
type child struct {
	cmd     *exec.Cmd
	letGo   chan struct{}
	started chan error
	done    chan struct{}
}

// startChild starts "sh -c command" stopped. All requests to a stopped process
// must come from the thread that started it, so one goroutine owns it.
func startChild(command string) (*child, error) {
	if command == "" {
		return nil, nil
	}
	c := &child{letGo: make(chan struct{}), started: make(chan error), done: make(chan struct{})}
	c.cmd = exec.Command("sh", "-c", command)
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	go c.own()
	if err := <-c.started; err != nil {
		return nil, fmt.Errorf("cannot start %q: %w", command, err)
	}
	return c, nil
}

func (c *child) own() {
	runtime.LockOSThread()
	defer close(c.done)
	err := c.cmd.Start()
	if err == nil {
		var ws syscall.WaitStatus
		_, err = syscall.Wait4(c.cmd.Process.Pid, &ws, 0, nil)
	}
	c.started <- err
	if err != nil {
		return
	}
	<-c.letGo
	if err := syscall.PtraceDetach(c.cmd.Process.Pid); err != nil && !errors.Is(err, syscall.ESRCH) {
		fmt.Fprintf(os.Stderr, "ply-exporter: cannot let the command go: %v\n", err)
		_ = c.cmd.Process.Kill()
	}
	if err := c.cmd.Wait(); err != nil {
		fmt.Fprintf(os.Stderr, "ply-exporter: command: %v\n", err)
	}
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// release lets the command run and returns a channel that is closed when it
// has ended; of a nil child, one that never is.
func (c *child) release() <-chan struct{} {
	if c == nil {
		return nil
	}
	close(c.letGo)
	return c.done
}

// kill ends a command that was never let go; one that runs is left alone.
func (c *child) kill() {
	if c == nil {
		return
	}
	select {
	case <-c.letGo:
	default:
		_ = c.cmd.Process.Kill()
		close(c.letGo)
		<-c.done
	}
}
