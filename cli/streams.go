package cli

import (
	"fmt"
	"io"
	"os"
)

// Streams are what a command reads and writes. They are files because the
// command of "run -c" inherits them.
type Streams struct {
	In, Out, Err *os.File
}

// fail prints why the command fails, and returns its status.
func (s Streams) fail(text string) int {
	fmt.Fprintln(s.Err, text)
	return statusError
}

// failOutput is fail for an error of writing to standard output; nil is none.
func (s Streams) failOutput(err error) int {
	if err == nil {
		return statusOK
	}
	return s.fail("ply-exporter: standard output: " + err.Error())
}

// show writes to standard output and returns the command's status.
func (s Streams) show(text string) int {
	_, err := s.Out.WriteString(text)
	return s.failOutput(err)
}

// An output remembers the first error of its writer, for code that writes
// without looking at errors.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	if o.err == nil {
		_, o.err = o.w.Write(b)
	}
	return len(b), nil
}
