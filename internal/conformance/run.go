package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
	"ply-exporter/report"
	"ply-exporter/tracer"
	"ply-exporter/tracer/decode"
)

// A Result is what came of a script.
type Result struct {
	Errors   []string // of the compiler
	Warnings []string // of the checker, and of the code generator
	Notes    []string // warnings that tell about this kernel
	Output   string
	Status   int
}

// patience is how long a script without an end of its own may run.
const patience = 20 * time.Second

// Open returns the running kernel, ready to compile for.
func Open() (*kernel.Kernel, error) {
	if err := tracer.MountTracefs(); err != nil {
		return nil, err
	}
	k, err := kernel.Running()
	if err == nil {
		tracer.Detect(k)
	}
	return k, err
}

// A run is a script while it runs. It does what the command's run does.
type run struct {
	flags
	tracer  *tracer.Tracer
	obj     *object.Object
	printer report.Printer
	lock    sync.Mutex // held while printing
}

// flags are the options of run.
type flags struct {
	json, plain, keep, compile bool
	limit                      time.Duration
}

func parseFlags(args []string) (f flags, err error) {
	for i := 0; i < len(args); i++ {
		next := ""
		if i+1 < len(args) {
			next = args[i+1]
		}
		switch args[i] {
		case "-e":
			f.compile = true
		case "-k":
			f.keep = true
		case "--attach=plain":
			f.plain = true
		case "-f":
			f.json = next == "json"
			i++
		case "-t":
			seconds, err := strconv.ParseFloat(next, 64)
			if err != nil {
				return f, err
			}
			f.limit = time.Duration(seconds * float64(time.Second))
			i++
		default:
			return f, fmt.Errorf("no flag %s: there are -e, -f, -k, -t and --attach=plain", args[i])
		}
	}
	return f, nil
}

// Run runs a script as the command's run does. Errors of the compiler are in
// the result; err is that something else went wrong.
func Run(k *kernel.Kernel, s Script) (res Result, err error) {
	f, err := parseFlags(s.Flags)
	if err != nil {
		return res, err
	}
	child, err := startChild(s.Command)
	if err != nil {
		return res, err
	}
	defer child.kill()
	obj, err := bpfgen.Build(&plylang.Source{Text: s.Prog}, k, bpfgen.Options{Run: true, PlainAttach: f.plain}, s.params(child))
	var faults plylang.ErrorList
	if errors.As(err, &faults) {
		return Result{Errors: messages(faults), Status: 1}, nil
	}
	if err != nil {
		return res, err
	}
	res.Warnings, res.Notes = messages(obj.Script.Warnings), messages(obj.Warnings)
	if f.compile {
		return res, nil
	}
	r := &run{flags: f, obj: obj}
	res.Output, res.Status, err = r.trace(k, child)
	return res, err
}

func messages(list plylang.ErrorList) []string {
	var out []string
	for _, e := range list {
		out = append(out, e.Error())
	}
	return out
}

// params answers $1, $2 …, $target and $NAME.
func (s Script) params(c *child) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if n, err := strconv.Atoi(name); err == nil {
			if n >= 1 && n <= len(s.Args) {
				return s.Args[n-1], true
			}
			return "", false
		}
		if name == "target" && c != nil {
			return strconv.Itoa(c.cmd.Process.Pid), true
		}
		return os.LookupEnv(name)
	}
}

// trace runs a compiled script to its end.
func (r *run) trace(k *kernel.Kernel, c *child) (output string, status int, err error) {
	var out bytes.Buffer
	ready := make(chan struct{})
	t, err := tracer.Start(r.obj, tracer.Options{Kernel: k, OnEvent: func(e *object.Event, record []byte) {
		<-ready
		r.event(e, record)
	}})
	if err != nil {
		return "", 0, errors.New(plylang.Detail(tracer.Diagnose(err)))
	}
	defer t.Close()
	r.tracer = t
	d := decode.New(k, r.obj.Places, t.Stack)
	r.printer = report.NewText(&out, d, false)
	if r.json {
		r.printer = report.NewJSON(&out, d)
	}
	r.printer.Attached(t.Active())
	close(ready)
	status, err = r.wait(c)
	status, err = r.finish(status, err)
	return out.String(), status, err
}

// wait returns when the script is over.
func (r *run) wait(c *child) (status int, err error) {
	var limit <-chan time.Time
	if r.limit > 0 {
		limit = time.After(r.limit)
	}
	if c == nil && r.limit == 0 && r.endsItself() {
		return 0, nil
	}
	select {
	case <-c.release():
		return 0, nil
	case <-limit:
		return 0, nil
	case status := <-r.tracer.Exited():
		return status, nil
	case <-time.After(patience):
		return 0, errors.New("the script has no end: it needs exit(), a CMD, or FLAGS -t")
	}
}

// endsItself says whether nothing can happen after BEGIN.
func (r *run) endsItself() bool {
	return !slices.ContainsFunc(r.obj.Programs, func(p *object.Program) bool {
		return p.Attach != object.AttachBegin && p.Attach != object.AttachEnd
	})
}

// finish ends the script and prints its maps.
func (r *run) finish(status int, err error) (int, error) {
	if stopErr := r.tracer.Stop(); stopErr != nil {
		err = errors.Join(err, stopErr)
	}
	select {
	case status = <-r.tracer.Exited():
	default:
	}
	for _, m := range r.obj.Maps {
		err = errors.Join(err, r.printMap(m))
	}
	lost := r.tracer.LostEvents()
	updates := uint64(0)
	for _, m := range r.obj.Maps {
		updates += r.tracer.Dropped(m)
	}
	if lost+updates > 0 {
		r.printer.Lost(lost, updates)
	}
	if lost+updates > 0 && !r.keep && status == 0 {
		status = 1
	}
	return status, errors.Join(err, r.printer.Err())
}

func (r *run) printMap(m *object.Map) error {
	rows, err := r.tracer.Rows(m)
	if err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	r.printer.Map(m, rows)
	return nil
}

func (r *run) event(e *object.Event, record []byte) {
	r.lock.Lock()
	defer r.lock.Unlock()
	switch e.Kind {
	case object.EventPrint:
		r.printer.Print(e, record)
	case object.EventPrintf:
		r.printer.Printf(e, record)
	case object.EventPrintMap:
		_ = r.printMap(e.Map) // a map that cannot be read now cannot be read at the end either
	}
}

// A child is the command of a script. It waits before its first own
// instruction until it is released. A nil child is no command.
type child struct {
	cmd  *exec.Cmd
	gate io.WriteCloser
}

func startChild(command string) (*child, error) {
	if command == "" {
		return nil, nil
	}
	c := &child{cmd: exec.Command("sh", "-c", `read -r go; exec sh -c "$1" </dev/null`, "sh", command)}
	c.cmd.Stderr = os.Stderr
	gate, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.gate = gate
	return c, c.cmd.Start()
}

// release lets the command go and returns a channel that is closed when it has
// ended.
func (c *child) release() <-chan struct{} {
	if c == nil {
		return nil
	}
	done := make(chan struct{})
	_, _ = io.Copy(c.gate, strings.NewReader("go\n"))
	go func() {
		_ = c.cmd.Wait() // its status is not the script's
		close(done)
	}()
	return done
}

// kill ends a command that was never let go.
func (c *child) kill() {
	if c != nil && c.cmd.ProcessState == nil {
		_ = c.cmd.Process.Kill()
	}
}
