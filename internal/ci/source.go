package main

import (
	"fmt"
	"os/exec"
	"strings"
)

// checkSource runs what needs no test: go vet, and gofmt, which lists the files
// that it would change.
func (s *suite) checkSource() {
	fmt.Fprintln(s.out, "==> go vet, gofmt")
	if text, err := exec.Command("go", "vet", "./...").CombinedOutput(); err != nil {
		s.fault("go vet: %v\n%s", err, text)
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		s.fault("go env: %v", err)
		return
	}
	gofmt := strings.TrimSpace(string(goroot)) + "/bin/gofmt"
	if text, err := exec.Command(gofmt, "-l", ".").CombinedOutput(); err != nil || len(text) > 0 {
		s.fault("gofmt would change: %s %v", strings.TrimSpace(string(text)), err)
	}
}
