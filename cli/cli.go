// Package cli is the command line of ply-exporter: its commands with their
// flags, what they print, and their exit statuses.
package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
)

// Exit statuses. A run that is ended by exit(n) has n.
const (
	statusOK    = 0
	statusError = 1
	statusUsage = 2
)

// Main runs the program with its arguments, the first of which is the name it
// is called by, and returns the exit status.
func Main(args []string) int { return command(filepath.Base(args[0]), args[1:]) }

// command parses the command line and runs what it asks for. A binary called
// ply is "ply-exporter run".
func command(name string, args []string) (status int) {
	defer ourBug(&status)
	if name == "ply" {
		args = append([]string{"run"}, args...)
	}
	if len(args) > 0 && args[0] == "run" {
		args = markDashes(args)
	}
	kingpin.EnableFileExpansion = false // an argument may begin with @
	app := kingpin.New("ply-exporter", "Prometheus exporter driven by ply scripts, and ply itself.")
	app.Version(version.Print("ply-exporter"))
	app.HelpFlag.Short('h')
	help := &output{w: os.Stdout}
	app.UsageWriter(help)
	app.Terminate(func(code int) { panic(terminated(max(code, help.status()))) })

	commands := map[string]func() int{}
	add := func(c *kingpin.CmdClause, run func() int) { commands[c.FullCommand()] = run }
	addServe(app, add)
	addRun(app, add)
	addCheck(app, add)
	addList(app, add)
	addFmt(app, add)

	selected, err := app.Parse(args)
	if err != nil {
		return usage(args, err)
	}
	return commands[selected]()
}

// terminated is what --help and --version end with.
type terminated int

// debugVariable is in the environment of who wants stack traces.
const debugVariable = "PLY_DEBUG"

// ourBug turns a panic into a message: no stack trace reaches a user unless
// debugVariable is set.
func ourBug(status *int) {
	switch r := recover().(type) {
	case nil:
	case terminated:
		*status = int(r)
	default:
		fmt.Fprintf(os.Stderr, "ply-exporter: internal error, please report it: %v\n", r)
		if os.Getenv(debugVariable) != "" {
			debug.PrintStack()
		} else {
			fmt.Fprintln(os.Stderr, debugVariable+"=1 in the environment adds where it happened")
		}
		*status = statusError
	}
}

// An output remembers that it could not be written, for those who write and do
// not ask.
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

// status says what went wrong, and returns what to exit with.
func (o *output) status() int {
	if o.err != nil {
		return fail("ply-exporter: standard output: " + o.err.Error())
	}
	return statusOK
}

func fail(text string) int {
	fmt.Fprintln(os.Stderr, text)
	return statusError
}
