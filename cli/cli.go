// Package cli is the command line of ply-exporter: its commands with their
// flags, what they print, and their exit statuses.
package cli

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
)

// Exit statuses. A run that calls exit(n) has n.
const (
	statusOK    = 0
	statusError = 1
	statusUsage = 2
)

// Main runs the program with the arguments of a process, args[0] being its name,
// and returns the exit status.
func Main(args []string) int { return Run(args, Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}) }

// Run is Main with streams other than those of the process. Signals, the
// environment and the current directory are still those of the process, so only
// one command should run at a time.
func Run(args []string, streams Streams) (status int) {
	p := &program{Streams: streams, args: args[1:], commands: map[string]func() int{}}
	defer p.recover(&status)
	if filepath.Base(args[0]) == "ply" { // a binary called ply is "ply-exporter run"
		p.name, p.args = "ply", append([]string{"run"}, p.args...)
	}
	return p.run()
}

// A program is one invocation of the command line.
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
	p.define()
	if p.isRun() && len(p.args) == 2 && (p.args[1] == "-v" || p.args[1] == "--version") {
		p.args = []string{"--version"} // as ply has it
	}
	selected, err := p.app.Parse(p.args)
	if err != nil {
		return p.usage(err)
	}
	return p.commands[selected]()
}

// define defines the commands and their flags.
func (p *program) define() {
	kingpin.EnableFileExpansion = false // an argument may begin with @
	p.app = kingpin.New("ply-exporter", subject+".")
	nameVersion()
	generates(p.app)
	p.app.Version(version.Print("ply-exporter"))
	p.app.HelpFlag.Short('h')
	help := &output{w: p.Out}
	p.app.UsageWriter(help)
	p.app.Terminate(func(code int) { panic(terminated(max(code, p.failOutput(help.err)))) })
	p.addServe()
	p.addUnpin()
	p.addRun()
	p.addCheck()
	p.addRecord()
	p.addList()
	p.addFmt()
	p.addTest()
	p.addConfig()
	p.addDashboard()
}

// nameVersion takes the version from what Go notes in every binary, if the build
// gave none.
func nameVersion() {
	if info, ok := debug.ReadBuildInfo(); ok && version.Version == "" {
		version.Version = info.Main.Version
	}
}

// isRun reports whether the command is "run".
func (p *program) isRun() bool { return len(p.args) > 0 && p.args[0] == "run" }

// add registers a command.
func (p *program) add(c *kingpin.CmdClause, run func() int) { p.commands[c.FullCommand()] = run }

// usage reports an invalid command line.
func (p *program) usage(err error) int {
	text := unmark(err.Error())
	if hint := p.plyHint(text); hint != "" {
		text = hint
	} else if p.isRun() && strings.HasPrefix(text, "unknown ") {
		text += p.didYouMean(text) + "; put -- before it if it is an argument of the script"
	} else {
		text += p.didYouMean(text)
	}
	fmt.Fprintf(p.messages(), "%s%s; see %s --help\n", p.prefix(), text, cmp.Or(p.name, "ply-exporter"))
	return statusUsage
}

// terminated is the value that --help and --version panic with.
type terminated int

// debugVariable is an environment variable that turns on stack traces.
const debugVariable = "PLY_DEBUG"

// recover turns a panic into a message, with a stack trace if debugVariable is
// set.
func (p *program) recover(status *int) {
	switch r := recover().(type) {
	case nil:
	case terminated:
		*status = int(r)
	default:
		fmt.Fprintf(p.Err, "%sinternal error, please report it: %v\n", p.prefix(), r)
		if os.Getenv(debugVariable) != "" {
			debug.PrintStack()
		} else {
			fmt.Fprintln(p.Err, "set "+debugVariable+"=1 in the environment for a stack trace")
		}
		*status = statusError
	}
}
