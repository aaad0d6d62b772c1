package main

import (
	"io"
	"os/exec"
	"strings"
	"sync"
)

// test2json is the command that makes go test's JSON of what a test binary
// prints. Newer Go builds it when it is first asked for.
var test2json = sync.OnceValues(func() (string, error) {
	path, err := run(nil, "go", "tool", "-n", "test2json")
	return strings.TrimSpace(path), err
})

// A converter passes what a package's test binary prints on to results.
type converter struct {
	io.WriteCloser
	cmd  *exec.Cmd
	read chan error
}

func (r *results) convert(pkg string) (*converter, error) {
	path, err := test2json()
	if err != nil {
		return nil, err
	}
	c := &converter{cmd: exec.Command(path, "-t", "-p", pkg), read: make(chan error, 1)}
	if c.WriteCloser, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	events, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { c.read <- r.read(events) }()
	return c, nil
}

// end waits until results has all.
func (c *converter) end() error {
	_ = c.Close()
	err := <-c.read
	if err := c.cmd.Wait(); err != nil {
		return err
	}
	return err
}
