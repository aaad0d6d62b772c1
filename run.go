package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
	"ply-exporter/report"
	"ply-exporter/tracer"
	"ply-exporter/tracer/decode"
)

// runFlags are the options of "run".
type runFlags struct {
	command  string
	seconds  float64
	interval float64
	format   string
	onlyComp bool
	dump     bool
	keep     bool
	verbose  bool
	attach   *string
	script   string
	args     []string
}

func addRun(app *kingpin.Application, add func(*kingpin.CmdClause, func() int)) {
	var f runFlags
	c := app.Command("run", "Run one ply script; ^C ends it and prints its maps.")
	c.Flag("command", "Run this command with sh -c and stop when it ends; $target is its process id.").Short('c').PlaceHolder("CMD").StringVar(&f.command)
	c.Flag("time", "Stop after this many seconds.").Short('t').PlaceHolder("SECONDS").Float64Var(&f.seconds)
	c.Flag("interval", "Print the maps every so many seconds and keep counting.").Short('i').PlaceHolder("SECONDS").Float64Var(&f.interval)
	c.Flag("format", "text or json.").Short('f').Default("text").EnumVar(&f.format, "text", "json")
	c.Flag("compile", "Compile only.").Short('e').BoolVar(&f.onlyComp)
	c.Flag("dump", "Show the tree and the instructions on standard error.").Short('S').BoolVar(&f.dump)
	c.Flag("keep-going", "Keep going when events were lost; without it a run that lost events ends with status 1.").Short('k').BoolVar(&f.keep)
	c.Flag("verbose", "Say how each probe was attached, and why so.").Short('v').BoolVar(&f.verbose)
	f.attach = attachFlag(c)
	c.Arg("script", "The script, a file with it, or - for standard input.").Required().StringVar(&f.script)
	c.Arg("args", "What $1, $2 … in the script mean.").StringsVar(&f.args)
	add(c, func() int { return run(&f) })
}

// run compiles a script and runs it to its end.
func run(f *runFlags) int {
	if err := f.check(); err != nil {
		fmt.Fprintf(os.Stderr, "ply-exporter: %v; see ply-exporter --help\n", err)
		return statusUsage
	}
	src, err := readScript(f.script)
	if err != nil {
		return fail("ply-exporter: " + err.Error())
	}
	child, err := startChild(f.command)
	if err != nil {
		return fail("ply-exporter: " + err.Error())
	}
	defer child.kill()
	k, obj, err := build(f, src, child)
	if err != nil {
		return fail(plylang.Detail(err))
	}
	for _, w := range append(obj.Script.Warnings, obj.Warnings...) {
		fmt.Fprintln(os.Stderr, "warning:", w.Detail())
	}
	if f.dump {
		dump(os.Stderr, obj)
	}
	if f.onlyComp {
		return statusOK
	}
	return trace(f, k, obj, child)
}

// longestTime bounds -t and -i: a hundred years, in seconds.
const longestTime = 100 * 365 * 24 * 3600

// check refuses times that cannot be kept. 0 is no limit and no interval.
func (f *runFlags) check() error {
	for _, t := range []struct {
		flag             string
		seconds, atLeast float64
	}{{"-t", f.seconds, 1e-9}, {"-i", f.interval, 1e-3}} {
		if t.seconds != 0 && !(t.seconds >= t.atLeast && t.seconds <= longestTime) { // NaN is refused too
			return fmt.Errorf("%s must be a number of seconds from %g to %d, not %g", t.flag, t.atLeast, longestTime, t.seconds)
		}
	}
	return nil
}

// readScript takes the argument as a file's name if there is such a file, else
// as the script itself.
func readScript(arg string) (*plylang.Source, error) {
	// kingpin gives "-" as an empty argument.
	if arg == "" && slices.Contains(os.Args, "-") {
		return readText("standard input", os.Stdin)
	}
	if strings.ContainsAny(arg, "{\n") {
		return &plylang.Source{Text: arg}, nil
	}
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s is a folder, not a script", arg)
	case err == nil || fileLike.MatchString(arg):
		return readScriptFile(arg)
	}
	return &plylang.Source{Text: arg}, nil
}

// fileLike matches what no script looks like, but the name of a file does.
var fileLike = regexp.MustCompile(`^[^:\s]*[./][^:\s]*$`)

func readScriptFile(name string) (*plylang.Source, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readText(name, file)
}

// readText reads a script, but not one without an end.
func readText(name string, r io.Reader) (*plylang.Source, error) {
	const limit = 64 << 20
	b, err := io.ReadAll(io.LimitReader(r, limit))
	if err == nil && len(b) == limit {
		err = fmt.Errorf("%s is larger than any script may be", name)
	}
	return &plylang.Source{File: name, Text: string(b)}, err
}

func build(f *runFlags, src *plylang.Source, child *child) (*kernel.Kernel, *bpfgen.Object, error) {
	if !f.onlyComp {
		_ = tracer.MountTracefs() // what needs it says what is wrong, and the cure
	}
	k, err := kernel.Open("/")
	if err != nil {
		return nil, nil, err
	}
	tracer.Detect(k)
	obj, err := bpfgen.Build(src, k, bpfgen.Options{Run: true, PlainAttach: *f.attach == attachPlain}, f.params(child))
	return k, obj, err
}

// params answers $1, $2 …, $0, $# as a shell would, $target, and $NAME from
// the environment.
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
		return os.LookupEnv(name)
	}
}

// dump shows the tree and every program's instructions.
func dump(w io.Writer, obj *bpfgen.Object) {
	fmt.Fprintln(w, obj.Script)
	for _, p := range obj.Programs {
		fmt.Fprintf(w, "\n%s (%s)\n%v", p.Name, p.Attach, obj.Spec.Programs[p.Name].Instructions)
	}
}

// A session is a script that runs.
type session struct {
	flags   *runFlags
	obj     *bpfgen.Object
	tracer  *tracer.Tracer
	printer report.Printer
	decoder *decode.Decoder
	broken  chan struct{} // closed when nothing can be written any more
	lock    chan struct{} // held while printing
}

func trace(f *runFlags, k *kernel.Kernel, obj *bpfgen.Object, child *child) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // a second ^C ends what a first one cannot
	s := &session{flags: f, obj: obj, broken: make(chan struct{}), lock: make(chan struct{}, 1)}
	ready := make(chan struct{})
	t, err := tracer.Start(obj, tracer.Options{Kernel: k, OnEvent: func(e *bpfgen.Event, record []byte) {
		<-ready
		s.event(e, record)
	}})
	if err != nil {
		return fail(plylang.Detail(tracer.Diagnose(err)))
	}
	defer t.Close()
	s.tracer = t
	s.decoder = decode.New(k, obj.Places, t.Stack)
	s.printer = newPrinter(f.format, s.decoder)
	s.attached()
	close(ready)
	status := s.wait(ctx, child)
	stop()
	fmt.Fprintln(os.Stderr, "de-activating probes")
	return s.finish(status)
}

func newPrinter(format string, d *decode.Decoder) report.Printer {
	if format == "json" {
		return report.NewJSON(os.Stdout, d)
	}
	return report.NewText(os.Stdout, d, report.DrawsBlocks(os.Stdout))
}

// attached says how many probes are active, and with -v how.
func (s *session) attached() {
	active := s.tracer.Active()
	fmt.Fprintf(os.Stderr, "%d probes active\n", active)
	s.printer.Attached(active)
	for _, p := range s.tracer.Probes() {
		if s.flags.verbose {
			fmt.Fprintf(os.Stderr, "%s: %s, %d places: %s\n", p.Text, p.Attach, p.Covers, p.Why)
		}
		if p.Err != nil {
			fmt.Fprintf(os.Stderr, "warning: %s: %v\n", p.Text, p.Err)
		}
	}
}

// wait lets the command go and returns when the run is over: ^C, the time
// limit, the command's end, exit(), or a reader of our output who left.
func (s *session) wait(ctx context.Context, child *child) (status int) {
	limit, redraw := never(), never()
	if s.flags.seconds > 0 {
		limit = time.After(time.Duration(s.flags.seconds * float64(time.Second)))
	}
	if s.flags.interval > 0 {
		t := time.NewTicker(time.Duration(s.flags.interval * float64(time.Second)))
		defer t.Stop()
		redraw = t.C
	}
	done := child.release()
	for {
		select {
		case <-ctx.Done():
			return statusOK
		case <-limit:
			return statusOK
		case <-done:
			return statusOK
		case status := <-s.tracer.Exited():
			return status
		case <-s.broken:
			return statusError
		case <-redraw:
			s.redraw()
		}
	}
}

func never() <-chan time.Time { return nil }

// finish detaches, prints the maps and what was lost, and returns the status.
func (s *session) finish(status int) int {
	if err := s.tracer.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "ply-exporter:", err)
		status = max(status, statusError)
	}
	select { // an exit() of END, or one that a signal overtook
	case n := <-s.tracer.Exited():
		status = n
	default:
	}
	s.maps()
	if s.lost() && !s.flags.keep && status == statusOK {
		status = statusError
	}
	if err := s.printer.Err(); err != nil {
		fmt.Fprintf(os.Stderr, "ply-exporter: standard output: %v\n", err)
		return statusError
	}
	return status
}

// lost reports refused events and updates and says whether there were any.
func (s *session) lost() bool {
	events, updates := s.tracer.LostEvents(), uint64(0)
	for _, m := range s.obj.Maps {
		if n := s.tracer.Dropped(m); n > 0 {
			updates += n
			fmt.Fprintf(os.Stderr, "%d updates of %s were refused: it is full at %d keys\n", n, m.Name, m.MaxEntries)
		}
	}
	if events > 0 {
		fmt.Fprintf(os.Stderr, "%d events were lost: they came faster than they could be printed\n", events)
	}
	if events+updates > 0 {
		s.printer.Lost(events, updates)
	}
	return events+updates > 0
}

// redraw prints the maps once more; on a terminal in place of what was there.
func (s *session) redraw() {
	if s.flags.format == "text" && report.IsTerminal(os.Stdout) {
		const home, erase = "\x1b[H", "\x1b[J"
		fmt.Print(home + erase)
	}
	s.maps()
}

// maps prints every map as it is now.
func (s *session) maps() {
	s.lock <- struct{}{}
	defer func() { <-s.lock }()
	for _, m := range s.obj.Maps {
		s.printMap(m)
	}
}

func (s *session) printMap(m *bpfgen.Map) {
	rows, err := s.tracer.Rows(m)
	if err != nil {
		fmt.Fprintf(os.Stderr, "ply-exporter: %s: %v\n", m.Name, err)
		return
	}
	s.printer.Map(m, rows)
}

// event shows one event. It is called in the order of the events.
func (s *session) event(e *bpfgen.Event, record []byte) {
	s.lock <- struct{}{}
	defer func() { <-s.lock }()
	switch e.Kind {
	case bpfgen.EventPrint:
		s.printer.Print(e, record)
	case bpfgen.EventPrintf:
		s.printer.Printf(e, record)
	case bpfgen.EventPrintMap:
		s.printMap(e.Map)
	}
	if s.printer.Err() != nil {
		select {
		case <-s.broken:
		default:
			close(s.broken)
		}
	}
}
