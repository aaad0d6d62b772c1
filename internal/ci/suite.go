package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"ply-exporter/internal/need"
)

// A suite is one run of the test command.
type suite struct {
	out     io.Writer
	passed  int
	skips   map[string]int // by reason and where
	faults  []string       // why the run fails
	leftOut []string
}

// A job is one go test.
type job struct {
	name     string // where it runs
	kernel   facts
	dir      string // of a module of its own, or empty
	packages []string
	args     []string
	env      []string
}

// fault notes why the run fails, and goes on.
func (s *suite) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
	fmt.Fprintf(s.out, "FAIL "+format+"\n", args...)
}

// leaveOut notes what was not run, for good reason.
func (s *suite) leaveOut(format string, args ...any) {
	s.leftOut = append(s.leftOut, fmt.Sprintf(format, args...))
}

// missing notes what was not run for want of a program: root could have
// installed it, so for root it is a fault.
func (s *suite) missing(host facts, format string, args ...any) {
	if host.root {
		s.fault(format, args...)
	} else {
		s.leaveOut(format, args...)
	}
}

func (s *suite) failed() bool { return len(s.faults) > 0 }

// run runs one job. Packages that load BPF programs must not run side by side,
// hence -p 1; guests need static binaries, hence no cgo.
func (s *suite) run(j job) {
	fmt.Fprintf(s.out, "==> %s: %s\n", j.name, strings.Join(j.packages, " "))
	if !j.kernel.bpf {
		j.env = append(j.env, need.NoBPF+"=1")
	}
	args := append([]string{"test", "-json", "-count=1", "-p=1", "-timeout=10m"}, j.args...)
	cmd := exec.Command("go", append(args, j.packages...)...)
	cmd.Dir, cmd.Env = j.dir, append(append(os.Environ(), "CGO_ENABLED=0"), j.env...)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.fault("%s: go test: %v", j.name, err)
		return
	}
	r := &results{out: s.out}
	readErr := r.read(pipe)
	s.take(j, r)
	if err := cmd.Wait(); (err != nil || readErr != nil) && len(r.failures) == 0 {
		s.fault("%s: go test: %v %v", j.name, err, readErr)
	}
}

// runAll runs jobs, some at once, and prints what each has to say in one piece.
func (s *suite) runAll(jobs []job, atOnce int) {
	var all sync.WaitGroup
	var adding sync.Mutex
	slots := make(chan bool, atOnce)
	for _, j := range jobs {
		slots <- true
		all.Go(func() {
			var out bytes.Buffer
			part := &suite{out: &out}
			part.run(j)
			<-slots
			adding.Lock()
			defer adding.Unlock()
			_, _ = out.WriteTo(s.out) // as with all that is printed here
			s.add(part)
		})
	}
	all.Wait()
}

// add adds what another suite found.
func (s *suite) add(part *suite) {
	s.passed += part.passed
	s.faults = append(s.faults, part.faults...)
	s.leftOut = append(s.leftOut, part.leftOut...)
	for reason, n := range part.skips {
		s.skip(reason, n)
	}
}

// skip counts skipped tests.
func (s *suite) skip(reason string, n int) {
	if s.skips == nil {
		s.skips = map[string]int{}
	}
	s.skips[reason] += n
}

// take adds a job's results, and judges its skips.
func (s *suite) take(j job, r *results) {
	s.passed += r.passed
	for _, name := range r.failures {
		s.faults = append(s.faults, fmt.Sprintf("%s: %s", j.name, name))
	}
	for _, skip := range r.skips {
		fmt.Fprintf(s.out, "skip %s: %s\n", skip.test, skip.reason)
		if !skipAllowed(j.kernel, skip.reason) {
			s.fault("%s: %s is skipped (%q), and must not be there", j.name, skip.test, skip.reason)
		}
		s.skip(fmt.Sprintf("%s: %s", j.name, skip.reason), 1)
	}
	if r.passed+len(r.skips)+len(r.failures) == 0 && j.kernel.guest {
		s.fault("%s: %s selects no test (internal/ci/guests.go)", j.name, strings.Join(append(j.packages, j.args[:2]...), " "))
	}
}

// summary prints what was left out and why the run fails; its last line is the
// count of tests.
func (s *suite) summary(took time.Duration) {
	skipped := 0
	var lines []string
	for reason, n := range s.skips {
		skipped += n
		lines = append(lines, fmt.Sprintf("%s (%d skipped)", reason, n))
	}
	slices.Sort(lines)
	s.list("left out", append(s.leftOut, lines...))
	s.list("failed", s.faults)
	fmt.Fprintf(s.out, "\ntook %s\n%d passed, %d failed, %d skipped\n", took.Round(time.Second), s.passed, len(s.faults), skipped)
}

func (s *suite) list(title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(s.out, "\n%s:\n", title)
	for _, line := range lines {
		fmt.Fprintf(s.out, "  %s\n", line)
	}
}
