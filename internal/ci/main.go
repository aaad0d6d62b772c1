// Ci is the test command behind `make test`: it runs all tests that need no
// kernel, those that need one on this machine and in guest kernels, and says
// what was left out. It fails when a test fails, when a test is skipped for the
// lack of something that its kernel does have, and when a test runs nowhere.
//
//	go run ./internal/ci            everything
//	go run ./internal/ci -only host
//	go run ./internal/ci -only guests [-kernel 6.12-arm64] [-slowest 25]
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == loadOneProgram {
		os.Exit(loadProgram())
	}
	if len(os.Args) > 2 && os.Args[1] == unprivileged {
		fmt.Fprintln(os.Stderr, becomeUnprivileged(os.Args[2:]))
		os.Exit(1)
	}
	only := flag.String("only", "", "run only `host` or guests")
	version := flag.String("kernel", "", "run only the guests with this kernel `version`, or version-architecture")
	lint := flag.Bool("lint", false, "run make lint too")
	slowest := flag.Int("slowest", 0, "print the `n` tests of each kernel that took longest")
	flag.Parse()
	begin := time.Now()
	s := &suite{out: os.Stdout, slowest: *slowest}
	s.all(*only, *version, *lint)
	s.summary(time.Since(begin))
	if s.fails() {
		os.Exit(1)
	}
}

// atOnce is how many jobs run side by side: each keeps one CPU busy, a guest too, whatever the
// number of its own. With one more nothing was gained, and guests were slower.
var atOnce = min(2, runtime.NumCPU())

// all runs what is asked for. The first pass is always needed: it tells which
// tests need a kernel.
func (s *suite) all(only, version string, lint bool) {
	host := s.lookAtHost()
	t, err := newTests()
	if err != nil {
		s.fault("%v", err)
		return
	}
	defer t.remove()
	var jobs []job
	fetched := func() {}
	if only != "host" {
		fetched = s.aside(func(s *suite) { jobs = s.guestJobs(host, t, version) })
	}
	s.firstPass(host, t)
	fetched()
	if only != "guests" {
		jobs = slices.Insert(jobs, min(1, len(jobs)), hostJob(host, t))
		jobs = append(append(jobs, moduleJobs(host)...), sourceJob(lint))
	}
	s.runAll(jobs, atOnce)
	s.again()
	if only == "" {
		s.checkNoneLost()
	}
}

// lookAtHost finds out what this machine lets tests do, and helps where it can.
func (s *suite) lookAtHost() facts {
	host := hostFacts()
	fmt.Fprintf(s.out, "==> kernel %s: %v\n", host.release, host)
	if !host.root {
		s.leaveOut("tests that load BPF programs on this machine: run make test as root")
		return host
	}
	if err := mountTracefs(); err != nil {
		s.fault("tracefs: %v", err)
	}
	if err := loadsPrograms(); err != nil {
		host.bpf = false
		s.leaveOut("in-kernel tests on this machine (they run in a guest kernel instead): %v", err)
	}
	return host
}
