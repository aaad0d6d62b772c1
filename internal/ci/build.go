package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A binary holds the tests of one package, built for one architecture.
type binary struct {
	pkg  string // import path
	dir  string // of the sources, where its tests run
	path string
}

// build builds the tests of packages once, for this machine and for all guests
// of the architecture. Guests need static binaries, hence no cgo.
func build(goarch, to string, packages []string) ([]binary, error) {
	env := append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+goarch)
	const withTests = `{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{.Dir}}{{end}}`
	listed, err := run(env, "go", append([]string{"list", "-f", withTests}, packages...)...)
	if err != nil {
		return nil, err
	}
	to = filepath.Join(to, goarch)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return nil, err
	}
	if _, err := run(env, "go", append([]string{"test", "-c", "-vet=off", "-o", to + "/"}, packages...)...); err != nil {
		return nil, err
	}
	var all []binary
	for line := range strings.Lines(listed) {
		pkg, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		all = append(all, binary{pkg, dir, filepath.Join(to, filepath.Base(pkg)+".test")})
	}
	return all, nil
}

// run runs a command and returns its standard output; an error has all that it
// said.
func run(env []string, name string, args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, &errs, &out)
	}
	return out.String(), nil
}
