package main

import (
	"bufio"
	"encoding/base64"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"ply-exporter/internal/guest"
)

// output reads what a guest prints: it passes the programs' own lines on, and
// keeps what the marked lines say.
type output struct {
	quiet bool
	to    io.Writer
	files map[string]string // files that may come back: path in the guest to path here

	ready  time.Time // when the guest's user space was up
	exited bool      // whether the guest came to its end
	status int       // its status then
	err    error     // of writing here
}

func (o *output) copy(from io.Reader) {
	r := bufio.NewReader(from)
	for {
		line, err := r.ReadString('\n')
		if line != "" && !o.exited { // after the end only the kernel's farewell comes
			o.line(strings.ReplaceAll(line, "\r\n", "\n"))
		}
		if err != nil {
			return
		}
	}
}

func (o *output) line(line string) {
	// A program may end without a newline, so that its end mark follows its text.
	if i := strings.Index(line, guest.MarkEnd+" "); i > 0 {
		o.line(line[:i] + "\n")
		line = line[i:]
	}
	mark, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	show := !o.quiet
	switch mark {
	case guest.MarkReady:
		o.ready = time.Now()
	case guest.MarkStart, guest.MarkEnd:
	case guest.MarkFile:
		o.save(rest)
		show = false
	case guest.MarkExit:
		status, err := strconv.Atoi(rest)
		o.status, o.exited = status, true
		o.failed(err)
	default:
		show = !o.quiet || !o.ready.IsZero()
	}
	if show {
		_, err := io.WriteString(o.to, line)
		o.failed(err)
	}
}

// save writes a file that the guest sends: its path there, and its content.
func (o *output) save(rest string) {
	inside, text, _ := strings.Cut(rest, " ")
	content, err := base64.StdEncoding.DecodeString(text)
	if here := o.files[inside]; err == nil && here != "" {
		err = os.WriteFile(here, content, 0o644)
	}
	o.failed(err)
}

// failed keeps the first error.
func (o *output) failed(err error) {
	if o.err == nil {
		o.err = err
	}
}
