// Package cli is the command line of ply-exporter: its commands with their
// flags, what they print, and their exit statuses.
package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

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
func Main(args []string) int { return Run(args, Streams{os.Stdin, os.Stdout, os.Stderr}) }

// Run is Main with other streams than those of the process. What a process has
// only once stays so: signals, the environment, the current folder. One run of
// a script after the other is fine.
func Run(args []string, streams Streams) (status int) {
	p := &program{Streams: streams, args: args[1:], commands: map[string]func() int{}}
	defer p.recover(&status)
	if filepath.Base(args[0]) == "ply" { // a binary called ply is "ply-exporter run"
		p.args = append([]string{"run"}, p.args...)
	}
	return p.run()
}

// A program is one call of the program.
type program struct {
	Streams
	args     []string
	app      *kingpin.Application
	commands map[string]func() int // by name
}

// run parses the command line and runs the command that it names.
func (p *program) run() int {
	if p.isRun() {
		p.args = markDashes(p.args)
	}
	kingpin.EnableFileExpansion = false // an argument may begin with @
	p.app = kingpin.New("ply-exporter", "Prometheus exporter driven by ply scripts, and the ply command-line tool.")
	p.app.Version(version.Print("ply-exporter"))
	p.app.HelpFlag.Short('h')
	help := &output{w: p.Out}
	p.app.UsageWriter(help)
	p.app.Terminate(func(code int) { panic(terminated(max(code, p.failOutput(help.err)))) })
	p.addServe()
	p.addRun()
	p.addCheck()
	p.addList()
	p.addFmt()
	selected, err := p.app.Parse(p.args)
	if err != nil {
		return p.usage(err)
	}
	return p.commands[selected]()
}

// isRun says whether the command line is one of "run".
func (p *program) isRun() bool { return len(p.args) > 0 && p.args[0] == "run" }

// add makes a command known.
func (p *program) add(c *kingpin.CmdClause, run func() int) { p.commands[c.FullCommand()] = run }

// usage reports a wrong command line.
func (p *program) usage(err error) int {
	text := unmark(err.Error())
	if p.isRun() && strings.HasPrefix(text, "unknown ") {
		text += "; put -- before it if it is an argument of the script"
	}
	fmt.Fprintf(p.Err, "ply-exporter: %s; see ply-exporter --help\n", text)
	return statusUsage
}

// terminated is what --help and --version end with.
type terminated int

// debugVariable is in the environment of who wants stack traces.
const debugVariable = "PLY_DEBUG"

// recover turns a panic into a message: no stack trace reaches a user unless
// debugVariable is set.
func (p *program) recover(status *int) {
	switch r := recover().(type) {
	case nil:
	case terminated:
		*status = int(r)
	default:
		fmt.Fprintf(p.Err, "ply-exporter: internal error, please report it: %v\n", r)
		if os.Getenv(debugVariable) != "" {
			debug.PrintStack()
		} else {
			fmt.Fprintln(p.Err, "set "+debugVariable+"=1 in the environment for a stack trace")
		}
		*status = statusError
	}
}
