package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// runFlags are the options of "run".
type runFlags struct {
	command    string
	hasCommand bool // -c is given
	pid        pidValue
	time       timeValue
	interval   timeValue
	format     string
	onlyComp   bool
	dump       bool
	keep       bool
	verbose    bool
	writable   *bool
	attach     *string
	script     string
	args       []string // of the script
}

func (p *program) addRun() {
	f := runFlags{time: timeValue{flag: "-t", least: time.Nanosecond}, interval: timeValue{flag: "-i", least: time.Millisecond}}
	c := p.add("run", "Run a ply script until ^C, then print its maps.",
		argument{name: "script", help: "Script, script file, or - for standard input."},
		argument{name: "args", help: "Values of $1, $2 … in the script.", optional: true, many: true})
	flags := c.flags
	flags.StringVarP(&f.command, "command", "c", "", "Run `CMD` with sh -c and stop when it exits; $target is its process ID. If the script stops first, CMD is terminated.")
	flags.VarP(setting{Value: &f.pid}, "pid", "p", "Count what the process `PID` does, with the files that it sees, and stop when it ends; $target is PID.")
	flags.VarP(setting{Value: &f.time}, "time", "t", "Stop after this many `SECONDS`, or after a duration such as 1h30m.")
	flags.VarP(setting{Value: &f.interval}, "interval", "i", "Print the maps every so many `SECONDS` while counting continues.")
	flags.VarP(oneOf(&f.format, "text", "json"), "format", "f", "Output format: text or json.")
	flags.BoolVarP(&f.onlyComp, "compile", "e", false, "Compile the script without running it.")
	flags.BoolVarP(&f.dump, "dump", "S", false, "Print the syntax tree and the BPF instructions to standard error.")
	flags.BoolVarP(&f.keep, "keep-going", "k", false, "Exit with status 0 even if events or map updates were lost (default: status 1).")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "Print how each probe was attached, and why.")
	addPlyFlags(flags, &f)
	f.writable, f.attach = allowWritableFlag(flags), attachFlag(flags)
	c.run = func(args []string) int {
		f.hasCommand, f.script, f.args = flags.Changed("command"), args[0], args[1:]
		return p.runScript(&f)
	}
}

// runScript compiles a script and runs it to its end.
func (p *program) runScript(f *runFlags) int {
	if f.hasCommand && strings.TrimSpace(f.command) == "" {
		return p.usage(errors.New("the command of -c is empty"))
	}
	if f.pid != 0 && f.hasCommand {
		return p.usage(errors.New("-p and -c are of one process: leave out one of them"))
	}
	process, err := f.process()
	if err != nil {
		return p.fail(p.prefix() + err.Error())
	}
	defer process.close()
	src, err := p.readScript(f.script, verifyWriters(*f.writable))
	if err != nil {
		return p.fail(p.prefix() + err.Error())
	}
	child, err := startChild(p.Streams, f.command)
	if err != nil {
		return p.fail(p.prefix() + err.Error())
	}
	defer child.end()
	k, obj, err := build(f, src, child)
	if err != nil && process.hasEnded() { // and its files cannot be seen any more
		return p.fail(p.prefix() + process.ended())
	}
	if err != nil {
		return p.fail(plylang.Detail(err))
	}
	p.tellOf(obj, f.verbose)
	if f.dump {
		dump(p.Err, obj)
	}
	if f.onlyComp {
		return statusOK
	}
	return p.trace(f, k, obj, child, process)
}

// tellOf prints what the compiler has to say of a script.
func (p *program) tellOf(obj *object.Object, verbose bool) {
	for _, w := range slices.Concat(obj.Script.Warnings, bpfgen.Misread(obj.Script), obj.Warnings) {
		fmt.Fprintln(p.messages(), "warning:", w.Detail())
	}
	if verbose || len(obj.Programs) == 0 {
		for _, n := range obj.Script.Notes {
			fmt.Fprintln(p.messages(), "note:", n.Detail())
		}
	}
}

// readScript takes the argument as a file name if there is such a file or it
// looks like one, and as the script otherwise.
func (s Streams) readScript(arg string, verify func(string, *os.File) error) (*plylang.Source, error) {
	if arg == "-" {
		return readText("standard input", s.In)
	}
	if strings.ContainsAny(arg, "{\n") {
		return &plylang.Source{Text: arg}, nil
	}
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s is a directory, not a script", arg)
	case err == nil || fileLike.MatchString(arg):
		return readScriptFile(arg, verify)
	}
	return &plylang.Source{Text: arg}, nil
}

// fileLike matches what cannot be a script but may be a file name.
var fileLike = regexp.MustCompile(`^[^:\s]*[./][^:\s]*$`)

func readScriptFile(name string, verify func(string, *os.File) error) (*plylang.Source, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if verify != nil {
		if err := verify(name, file); err != nil {
			return nil, err
		}
	}
	return readText(name, file)
}

// readText reads a script, up to a limit: a device may have no end.
func readText(name string, r io.Reader) (*plylang.Source, error) {
	const limit = 64 << 20
	b, err := io.ReadAll(io.LimitReader(r, limit))
	if err == nil && len(b) == limit {
		err = fmt.Errorf("%s is too large to be a script", name)
	}
	return &plylang.Source{File: name, Text: string(b)}, err
}

func build(f *runFlags, src *plylang.Source, child *child) (*kernel.Kernel, *object.Object, error) {
	open := openMachine
	if f.onlyComp {
		open = openKernel
	}
	k, err := open()
	if err != nil {
		return nil, nil, err
	}
	obj, err := bpfgen.Build(src, k, bpfgen.Options{Run: true, PlainAttach: *f.attach == attachPlain, PID: int(f.pid)}, f.params(child))
	return k, obj, err
}

// params resolves $1, $2 … and $target, and other names from the environment.
func (f *runFlags) params(child *child) func(string) (string, bool) {
	return func(name string) (string, bool) {
		name = strings.TrimPrefix(name, "$")
		if n, err := strconv.Atoi(name); err == nil {
			if n >= 1 && n <= len(f.args) {
				return f.args[n-1], true
			}
			return "", false
		}
		if name == "target" && child != nil {
			return strconv.Itoa(child.pid()), true
		}
		if name == "target" && f.pid != 0 {
			return f.pid.String(), true
		}
		return os.LookupEnv(name)
	}
}

// dump prints the syntax tree and the instructions of every program.
func dump(w io.Writer, obj *object.Object) {
	fmt.Fprintln(w, obj.Script)
	for _, p := range obj.Programs {
		fmt.Fprintf(w, "\n%s (%s)\n%v", p.Name, p.Attach, obj.Spec.Programs[p.Name].Instructions)
	}
}
