package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/guest"
	"ply-exporter/internal/need"
)

// A program is a test binary with what it is to run.
type program struct {
	binary
	pattern string // for -test.run, empty for all tests
}

func (p program) argv() []string {
	argv := []string{p.path, "-test.v=test2json", "-test.timeout=15m"}
	if p.pattern != "" {
		argv = append(argv, "-test.run="+p.pattern)
	}
	return argv
}

// runHere runs a program on this machine.
func (s *suite) runHere(j job, p program) *results {
	argv := p.argv()
	cmd := exec.Command(argv[0], argv[1:]...)
	return s.runIn(j, p, cmd)
}

// runUnprivileged runs a program's tests that need no kernel, without the
// capabilities that loading a BPF program takes.
func (s *suite) runUnprivileged(j job, p program) *results {
	self, err := os.Executable()
	if err != nil {
		panic(err) // Linux always tells
	}
	cmd := exec.Command(self, append([]string{unprivileged}, p.argv()...)...)
	cmd.Env = []string{need.WithoutKernel + "=1"}
	return s.runIn(j, p, cmd)
}

func (s *suite) runIn(j job, p program, cmd *exec.Cmd) *results {
	r := &results{out: s.out}
	c, err := r.convert(p.pkg)
	if err != nil {
		s.fault("%s: %s: %v", j.name, p.pkg, err)
		return r
	}
	cmd.Dir, cmd.Env = p.dir, append(os.Environ(), cmd.Env...)
	if !j.kernel.bpf {
		cmd.Env = append(cmd.Env, need.NoBPF+"=1")
	}
	cmd.Stdout, cmd.Stderr = c, c
	s.ended(j, p.pkg, r, cmd.Run(), c.end())
	return r
}

// goTest runs a module's tests by the go command.
func (s *suite) goTest(j job, dir string) {
	r := &results{out: s.out}
	cmd := exec.Command("go", "test", "-json", "-count=1", "./...")
	cmd.Dir, cmd.Env, cmd.Stderr = dir, append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.fault("%s: %v", j.name, err)
		return
	}
	err = r.read(pipe)
	s.ended(j, dir, r, err, cmd.Wait())
	s.take(j, r)
}

// ended takes the end of a program, which may have failed without saying which
// test did.
func (s *suite) ended(j job, pkg string, r *results, errs ...error) {
	said := r.close()
	for _, err := range errs {
		if err != nil && len(r.failures) == 0 {
			s.fault("%s: %s: %v\n%s", j.name, pkg, err, said)
		}
	}
	if len(r.failures) == 0 {
		fmt.Fprintf(s.out, "ok   %s %.1fs\n", pkg, time.Since(r.begin).Seconds())
	}
}

// unprivileged is the argument that makes this command drop all capabilities,
// also those that root has by being root, and become the command that follows.
const unprivileged = "unprivileged"

func becomeUnprivileged(argv []string) error {
	runtime.LockOSThread()
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		_ = unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0) // who may not do it has none that matter
	}
	return syscall.Exec(argv[0], argv, os.Environ())
}

// runGuest boots a kernel once for all programs, and returns the results of each
// that ran.
func (s *suite) runGuest(j job, cmd *exec.Cmd, programs []program) []*results {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.fault("%s: %v", j.name, err)
		return nil
	}
	all := s.readGuest(j, pipe, programs)
	err = cmd.Wait()
	_, _ = stderr.WriteTo(s.out)
	failures := 0
	for _, r := range all {
		failures += len(r.failures)
	}
	if err != nil && failures == 0 {
		s.fault("%s: %v", j.name, err)
	}
	if len(all) < len(programs) {
		s.fault("%s: the guest ended before %s", j.name, programs[len(all)].pkg)
	}
	return all
}

// readGuest divides what a guest prints among the programs, which follow each
// other there.
func (s *suite) readGuest(j job, from io.Reader, programs []program) (all []*results) {
	var c *converter
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		mark, _, _ := strings.Cut(line, " ")
		switch {
		case mark == guest.MarkStart && len(all) < len(programs):
			r := &results{out: s.out}
			all = append(all, r)
			var fault error
			if c, fault = r.convert(programs[len(all)-1].pkg); fault != nil {
				s.fault("%s: %v", j.name, fault)
			}
		case (mark == guest.MarkEnd || err != nil) && c != nil:
			s.ended(j, programs[len(all)-1].pkg, all[len(all)-1], c.end())
			c = nil
		case c != nil:
			_, _ = io.WriteString(c, line)
		}
		if err != nil {
			return all
		}
	}
}

// argsOf is the command line of vmrun for programs.
func argsOf(programs []program) (args []string) {
	for i, p := range programs {
		if i > 0 {
			args = append(args, "---")
		}
		args = append(append(args, fmt.Sprintf("-in=%s", p.dir)), p.argv()...)
	}
	return args
}
