// Package cli is the command line of ply-exporter: its commands with their
// flags, what they print, and their exit statuses.
package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

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
	p := &program{Streams: streams, args: args[1:]}
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
	commands []*command
	root     *command // stands for the program: its flags are those of all commands
	named    *command // by the arguments, or root
}

// run parses the command line and runs the command that it names.
func (p *program) run() int {
	p.define()
	if words, ok := p.toComplete(); ok {
		return p.show(p.complete(words))
	}
	if p.isRun() && len(p.args) == 2 && p.args[1] == "-v" {
		p.args = []string{"--version"} // as ply has it
	}
	c, args, err := p.parse(markDashes(p.args))
	if text, ok := errors.AsType[asked](err); ok {
		return p.show(string(text))
	}
	if err != nil {
		return p.usage(err)
	}
	return c.run(args)
}

// define defines the commands and their flags.
func (p *program) define() {
	nameVersion()
	p.addRoot()
	p.addHelp()
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

// debugVariable is an environment variable that turns on stack traces.
const debugVariable = "PLY_DEBUG"

// recover turns a panic into a message, with a stack trace if debugVariable is
// set.
func (p *program) recover(status *int) {
	switch r := recover().(type) {
	case nil:
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
