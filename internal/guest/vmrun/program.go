package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"ply-exporter/internal/guest"
)

// A program is a command for the guest and what it needs there from here.
type program struct {
	guest.Command
	binary   string            // path here, empty for a program of the guest's own
	testdata map[string]string // folders to put beside it: path below Dir to path here
	fetch    map[string]string // files to fetch: path in the guest to path here
}

// parsePrograms cuts the command line at its --- arguments.
func parsePrograms(args []string, env []string) ([]*program, error) {
	var all []*program
	for len(args) > 0 {
		end := 0
		for end < len(args) && args[end] != "---" {
			end++
		}
		if end == 0 {
			return nil, fmt.Errorf("a program is missing around ---")
		}
		p, err := newProgram(len(all), args[:end], env)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
		args = args[min(end+1, len(args)):]
	}
	return all, nil
}

func newProgram(number int, argv []string, env []string) (*program, error) {
	dir, ok := strings.CutPrefix(argv[0], "-in=")
	if !ok {
		dir = "."
	} else if argv = argv[1:]; len(argv) == 0 {
		return nil, fmt.Errorf("a program is missing after -in=%s", dir)
	}
	p := &program{Command: guest.Command{Name: filepath.Base(argv[0]), Dir: "/", Argv: argv, Env: env}}
	if !strings.Contains(argv[0], "/") {
		return p, nil
	}
	var err error
	if p.binary, err = filepath.Abs(argv[0]); err != nil {
		return nil, err
	}
	if _, err := os.Stat(p.binary); err != nil {
		return nil, err
	}
	p.testdata = testdata(filepath.Dir(p.binary), dir)
	p.Dir = fmt.Sprintf("/t/%d", number)
	p.Argv = append([]string{path.Join(p.Dir, p.Name)}, argv[1:]...)
	p.redirectTestFiles()
	return p, nil
}

// testdata finds the testdata folders that a test may open by a relative path:
// those of its own package, which is the binary's folder or the given one, by
// default the current one (go test -exec), and those of the packages right below.
func testdata(dirs ...string) map[string]string {
	found := map[string]string{}
	for _, dir := range dirs {
		for _, pattern := range []string{"testdata", "*/testdata"} {
			matches, _ := filepath.Glob(filepath.Join(dir, pattern))
			for _, match := range matches {
				if rel, err := filepath.Rel(dir, match); err == nil {
					found[rel] = match
				}
			}
		}
	}
	return found
}

// redirectTestFiles lets a test binary write its files in the guest's /tmp, and
// asks for its coverage profile to be sent back.
func (p *program) redirectTestFiles() {
	p.fetch = map[string]string{}
	for i, arg := range p.Argv {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "-test.coverprofile":
			inside := "/tmp/cover" + strings.ReplaceAll(p.Dir, "/", ".")
			p.Argv[i] = name + "=" + inside
			p.Fetch = append(p.Fetch, inside)
			p.fetch[inside] = value
		case "-test.gocoverdir", "-test.outputdir":
			p.Argv[i] = name + "=/tmp"
		}
	}
}

// fetched is every program's files to fetch.
func fetched(programs []*program) map[string]string {
	all := map[string]string{}
	for _, p := range programs {
		for inside, here := range p.fetch {
			all[inside] = here
		}
	}
	return all
}
