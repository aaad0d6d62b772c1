package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"
)

// Streams are the standard streams of a command. They are files because the
// command that "run -c" starts inherits them.
type Streams struct {
	In, Out, Err *os.File

	name string // that the program was called by; "" is ply-exporter
}

// prefix begins the messages that are about no place in a script or file.
func (s Streams) prefix() string { return cmp.Or(s.name, "ply-exporter") + ": " }

// fail prints an error and returns the exit status for it.
func (s Streams) fail(text string) int {
	fmt.Fprintln(s.Err, text)
	return statusError
}

// failOutput is fail for an error of writing to standard output, which may be nil.
func (s Streams) failOutput(err error) int {
	if err == nil {
		return statusOK
	}
	return s.fail(s.prefix() + "standard output: " + err.Error())
}

// show writes to standard output and returns the exit status.
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
