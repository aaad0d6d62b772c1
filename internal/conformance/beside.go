package conformance

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// startBeside starts the command of BESIDE, waits until it is ready, and puts its process ID where the script
// names it. What it returns ends the command.
func (s *Script) startBeside(said *os.File) (end func(), err error) {
	cmd := exec.Command("sh", "-c", s.Beside)
	cmd.Stderr = os.Stderr
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		return nil, err
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		_ = cmd.Process.Kill()
		return nil, fmt.Errorf("%s says no line: %w", s.Beside, errors.Join(err, cmd.Wait()))
	}
	over, counting := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		_ = cmd.Wait() // how it ends is not the script's business
	}()
	go func() {
		defer close(counting)
		if waitActive(said, over) {
			fmt.Fprintln(in)
		}
	}()
	pid := strconv.Itoa(cmd.Process.Pid)
	s.Prog = strings.ReplaceAll(s.Prog, "BESIDE", pid)
	s.Flags = slices.Clone(s.Flags)
	for i, flag := range s.Flags {
		s.Flags[i] = strings.ReplaceAll(flag, "BESIDE", pid)
	}
	if s.Command == "" && !slices.Contains(s.Flags, "-p") {
		s.Command = "while kill -0 " + pid + " 2>/dev/null; do sleep 0.01; done"
	}
	return func() {
		_ = cmd.Process.Kill()
		<-over
		<-counting
	}, nil
}

// waitActive waits until the script says that its probes are active, or the command is over.
func waitActive(said *os.File, over <-chan struct{}) bool {
	text := make([]byte, 1<<16)
	for {
		n, _ := said.ReadAt(text, 0) // io.EOF as long as it has said less
		if strings.Contains(string(text[:n]), "active\n") {
			return true
		}
		select {
		case <-over:
			return false
		case <-time.After(time.Millisecond):
		}
	}
}
