package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"

	"ply-exporter/tracer/decode"
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
	fmt.Fprintln(s.messages(), text)
	return statusError
}

// messages writes to standard error what a terminal does not obey.
func (s Streams) messages() io.Writer { return message{s.Err} }

// A message is a writer of whole messages. What a terminal would obey is escaped: names of
// files and functions have been chosen by others.
type message struct{ w io.Writer }

func (m message) Write(b []byte) (int, error) {
	if _, err := io.WriteString(m.w, decode.ForMessage.Escape(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
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
