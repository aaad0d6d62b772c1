package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// sourceJob checks the sources without running them.
func sourceJob(lint bool) job {
	return job{name: "source", run: func(s *suite, _ job) { s.checkSource(lint) }}
}

// checkSource runs what needs no test: go vet, gofmt, and golangci-lint if
// asked, which takes two minutes to build the first time.
func (s *suite) checkSource(lint bool) {
	fmt.Fprintln(s.out, "==> go vet, gofmt")
	s.silent("go", "vet", "./...")
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		s.fault("go env: %v", err)
		return
	}
	s.silent(strings.TrimSpace(string(goroot))+"/bin/gofmt", "-l", ".")
	if lint {
		fmt.Fprintln(s.out, "==> golangci-lint")
		s.silent("timeout", "10m", "make", "-s", "lint")
	}
}

// silent runs a command that says nothing when all is well.
func (s *suite) silent(name string, args ...string) {
	text, err := exec.Command(name, args...).CombinedOutput()
	said := strings.TrimSpace(downloading.ReplaceAllString(string(text), ""))
	if err != nil || said != "" {
		s.fault("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, said)
	}
}

// downloading is what the go command says while it fills its module cache.
var downloading = regexp.MustCompile(`(?m)^go: downloading .*\n`)
