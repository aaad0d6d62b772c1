package cli

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A pidValue is the option -p; 0 where it is not given.
type pidValue int

// String is the number.
func (v *pidValue) String() string { return strconv.Itoa(int(*v)) }

// Set is what the parser calls.
func (v *pidValue) Set(text string) error {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n <= 0 {
		return fmt.Errorf("%q is no process ID: write a number, as in -p 1234", text)
	}
	*v = pidValue(n)
	return nil
}

// A tracee is that of -p. A nil one stands for none.
type tracee struct {
	pid  int
	file *os.File // stands for it, and for no other that gets its number
	over chan struct{}
}

// process finds the process of -p; nil if there is no such flag.
func (f *runFlags) process() (*tracee, error) {
	pid := int(f.pid)
	if pid == 0 {
		return nil, nil
	}
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	switch {
	case errors.Is(err, unix.ESRCH):
		return nil, fmt.Errorf("there is no process %d", pid)
	case err != nil:
		if of := threadGroup(pid); of != "" {
			return nil, fmt.Errorf("%d is a thread of process %s: write -p %s, and / tid == %d / in the script", pid, of, of, pid)
		}
		return nil, fmt.Errorf("process %d: %w", pid, os.NewSyscallError("pidfd_open", err))
	}
	p := &tracee{pid: pid, file: os.NewFile(uintptr(fd), "pidfd"), over: make(chan struct{})}
	go p.wait()
	return p, nil
}

// threadGroup is the process of a thread, "" if the number is that of a process.
func threadGroup(tid int) string {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return ""
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if pid, ok := strings.CutPrefix(lines.Text(), "Tgid:"); ok && strings.TrimSpace(pid) != fmt.Sprint(tid) {
			return strings.TrimSpace(pid)
		}
	}
	return ""
}

// wait closes p.over when the process has ended.
func (p *tracee) wait() {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	err = conn.Read(func(fd uintptr) bool { return readable(fd) })
	if err == nil {
		close(p.over)
	}
}

// readable says whether the process behind a file has ended.
func readable(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return err == nil && n > 0
}

// done is closed when the process has ended.
func (p *tracee) done() <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.over
}

// hasEnded says whether the process has ended.
func (p *tracee) hasEnded() bool {
	if p == nil {
		return false
	}
	conn, err := p.file.SyscallConn()
	over := false
	if err == nil {
		err = conn.Control(func(fd uintptr) { over = readable(fd) })
	}
	return err == nil && over
}

func (p *tracee) ended() string { return fmt.Sprintf("process %d has ended", p.pid) }

func (p *tracee) close() {
	if p != nil {
		_ = p.file.Close()
	}
}
