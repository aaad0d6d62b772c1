package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// A suite is one run of the test command.
type suite struct {
	out     io.Writer
	passed  map[string]int // by where
	skips   map[string]int // by reason and where
	faults  []string       // why the run fails
	failed  []failed       // tests that may run again
	second  []string       // those that passed then
	leftOut []string
	slowest int                   // how many of the slowest tests of each job are printed
	took    map[string][]duration // by where

	skippedHere []skip          // for lack of what only guests have
	ranInGuest  map[string]bool // tests that passed in a guest kernel
}

// A job is a part of the run.
type job struct {
	name   string // where it runs
	kernel facts
	run    func(*suite, job)

	// Instead of run, where it is tests in a kernel: which, and how some of them run.
	programs func() ([]program, error)
	runTests func(*suite, job, []program) []*results
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

func (s *suite) fails() bool { return len(s.faults)+len(s.failed) > 0 }

// runAll runs jobs, some at once, and prints what each has to say in one piece.
func (s *suite) runAll(jobs []job, atOnce int) {
	var all sync.WaitGroup
	var adding sync.Mutex
	slots := make(chan bool, atOnce)
	for _, j := range jobs {
		slots <- true
		all.Go(func() {
			var out bytes.Buffer
			begin := time.Now()
			part := &suite{out: &out}
			part.do(j)
			<-slots
			adding.Lock()
			defer adding.Unlock()
			if j.name != noKernel { // which is many jobs
				fmt.Fprintf(s.out, "==> %s: %.0f s\n", j.name, time.Since(begin).Seconds())
			}
			_, _ = out.WriteTo(s.out) // as with all that is printed here
			s.add(part)
		})
	}
	all.Wait()
}

// do does a job.
func (s *suite) do(j job) {
	if j.run != nil {
		j.run(s, j)
		return
	}
	programs, err := j.programs()
	if err != nil {
		s.fault("%s: %v", j.name, err)
		return
	}
	for _, r := range j.runTests(s, j, programs) {
		s.take(j, r)
	}
}

// aside does something beside what follows. What it returns waits for the end of that, and adds what was found.
func (s *suite) aside(do func(*suite)) (wait func()) {
	var out bytes.Buffer
	part := &suite{out: &out}
	done := make(chan bool)
	go func() {
		defer close(done)
		do(part)
	}()
	return func() {
		<-done
		_, _ = out.WriteTo(s.out)
		s.add(part)
	}
}

// add adds what another suite found.
func (s *suite) add(part *suite) {
	s.faults = append(s.faults, part.faults...)
	s.failed = append(s.failed, part.failed...)
	s.leftOut = append(s.leftOut, part.leftOut...)
	s.skippedHere = append(s.skippedHere, part.skippedHere...)
	for where, n := range part.passed {
		s.pass(where, n)
	}
	for where, took := range part.took {
		s.time(where, took)
	}
	for reason, n := range part.skips {
		s.skip(reason, n)
	}
	for test := range part.ranInGuest {
		s.inGuest(test)
	}
}

func (s *suite) pass(where string, n int) {
	if s.passed == nil {
		s.passed = map[string]int{}
	}
	s.passed[where] += n
}

// time notes how long tests took.
func (s *suite) time(where string, took []duration) {
	if s.took == nil {
		s.took = map[string][]duration{}
	}
	s.took[where] = append(s.took[where], took...)
}

// skip counts skipped tests.
func (s *suite) skip(reason string, n int) {
	if s.skips == nil {
		s.skips = map[string]int{}
	}
	s.skips[reason] += n
}

func (s *suite) inGuest(test string) {
	if s.ranInGuest == nil {
		s.ranInGuest = map[string]bool{}
	}
	s.ranInGuest[test] = true
}

// take adds a program's results, and verifies its skips.
func (s *suite) take(j job, r *results) {
	s.pass(j.name, len(r.passed))
	s.time(j.name, r.took)
	for _, f := range r.failures {
		if at := (failed{f, j}); f.ended && f.test != "" && j.runTests != nil {
			s.failed = append(s.failed, at)
		} else {
			s.faults = append(s.faults, at.String())
		}
	}
	for _, skip := range r.skips {
		fmt.Fprintf(s.out, "skip %s: %s\n", skip.test, skip.reason)
		if !skipAllowed(j.kernel, skip.reason) {
			s.fault("%s: %s is skipped (%q), and must not be there", j.name, skip.test, skip.reason)
		}
		s.skip(fmt.Sprintf("%s: %s", j.name, skip.reason), 1)
		if !j.kernel.guest && onlyInGuests(skip.reason) {
			s.skippedHere = append(s.skippedHere, skip)
		}
	}
	if !j.kernel.guest {
		return
	}
	for _, name := range r.passed {
		s.inGuest(name)
	}
	if len(r.passed)+len(r.skips)+len(r.failures) == 0 {
		s.fault("%s: a package runs no test", j.name)
	}
}

// checkNoneLost faults tests that were skipped here for the lack of something
// that guest kernels have, and that no guest kernel ran.
func (s *suite) checkNoneLost() {
	for _, skip := range s.skippedHere {
		if !s.ranInGuest[skip.test] {
			s.fault("%s runs in no kernel: here it %s; call need.EachKernel first in the test, or in the one around it", skip.test, skip.reason)
		}
	}
}

// summary prints what was left out, why the run fails and where how many tests
// ran; its last line is the count of tests.
func (s *suite) summary(took time.Duration) {
	skipped, passed := 0, 0
	var skips, passes []string
	for reason, n := range s.skips {
		skipped += n
		skips = append(skips, fmt.Sprintf("%s (%d skipped)", reason, n))
	}
	for where, n := range s.passed {
		passed += n
		passes = append(passes, fmt.Sprintf("%s: %d", where, n))
	}
	slices.Sort(skips)
	slices.Sort(passes)
	for _, where := range slices.Sorted(maps.Keys(s.took)) {
		s.list("slowest on "+where, slowestOf(s.took[where], s.slowest))
	}
	s.list("passed", passes)
	s.list("left out", append(s.leftOut, skips...))
	s.list("failed once, and passed when they ran again", s.second)
	s.list("failed", s.faults)
	fmt.Fprintf(s.out, "\ntook %s\n%d passed, %d failed, %d skipped\n", took.Round(time.Second), passed, len(s.faults), skipped)
}

// slowestOf are lines about the n tests that took longest.
func slowestOf(took []duration, n int) (lines []string) {
	slices.SortFunc(took, func(a, b duration) int { return cmp.Compare(b.seconds, a.seconds) })
	for _, d := range took[:min(n, len(took))] {
		lines = append(lines, fmt.Sprintf("%6.1f s %s", d.seconds, d.test))
	}
	return lines
}

func (s *suite) list(title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(s.out, "\n%s:\n  %s\n", title, strings.Join(lines, "\n  "))
}
