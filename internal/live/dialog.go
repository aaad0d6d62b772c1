package live

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"testing"
)

// A Dialog is a process that a test talks to.
type Dialog struct {
	*exec.Cmd
	In  io.Writer
	Out *bufio.Reader
}

// Talk starts a command. With the test its input ends, upon which it should end, too.
func Talk(t testing.TB, cmd *exec.Cmd) *Dialog {
	t.Helper()
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &Dialog{cmd, in, bufio.NewReader(out)}
}
