// Ci is the test command behind `make test`: it runs all tests on this machine,
// runs those that need another kernel in guest kernels, and says what was left
// out. It fails when a test fails and when a test is skipped for the lack of
// something that its kernel does have.
//
//	go run ./internal/ci            everything
//	go run ./internal/ci -only host
//	go run ./internal/ci -only guests [-kernel 6.12-arm64]
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == loadOneProgram {
		os.Exit(loadProgram())
	}
	only := flag.String("only", "", "run only `host` or guests")
	version := flag.String("kernel", "", "run only the guests with this kernel `version`, or version-architecture")
	lint := flag.Bool("lint", false, "run make lint too")
	flag.Parse()
	begin := time.Now()
	s := &suite{out: os.Stdout}
	host := s.lookAtHost()
	if *only != "guests" {
		s.checkSource(*lint)
		s.run(job{name: "this machine", kernel: host, packages: []string{"./..."}})
		s.run(job{name: "dashboards and manifests", kernel: host, dir: "internal/schema", packages: []string{"."}})
	}
	if *only != "host" {
		s.runGuests(host, *version)
	}
	s.summary(time.Since(begin))
	if s.failed() {
		os.Exit(1)
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
