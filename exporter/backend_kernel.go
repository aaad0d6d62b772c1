package exporter

import (
	"io"
	"log/slog"
	"time"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
	"ply-exporter/tracer/decode"
)

// A KernelBackend runs scripts on this machine's kernel.
type KernelBackend struct {
	kernel  *kernel.Kernel
	machine *decode.Machine // of all scripts
	log     *slog.Logger
	plain   bool
	pins    *tracer.Pins // may be nil
}

// NewBackend returns the backend of this machine. plainAttach attaches probes
// as their names say, without looking for a cheaper attach type.
func NewBackend(k *kernel.Kernel, log *slog.Logger, plainAttach bool) *KernelBackend {
	machine := decode.NewMachine(k)
	if k.IsRunning() {
		machine.SymbolsFrom(func() (decode.SymbolTable, error) { return tracer.OpenSymbols() })
	}
	return &KernelBackend{kernel: k, machine: machine, log: log, plain: plainAttach}
}

// Unverified is a backend that only compiles: it loads nothing to have it verified,
// so its kernel may be another one than this machine's.
type Unverified struct{ *KernelBackend }

// Verify accepts what was compiled.
func (Unverified) Verify(*object.Object) error { return nil }

// AssumeCPUs makes Compile do what it does on a machine with so many possible
// CPUs.
func (b *KernelBackend) AssumeCPUs(n int) { b.kernel.AssumeCPUs(n) }

// UsePins keeps what is started from now on pinned.
func (b *KernelBackend) UsePins(p *tracer.Pins) { b.pins = p }

// Check parses and checks a script against this kernel.
func (b *KernelBackend) Check(src *plylang.Source) (*plylang.Script, error) {
	script, err := plylang.Parse(src)
	if script == nil {
		return nil, err
	}
	return script, plylang.Check(script, bpfgen.NewEnv(b.kernel, bpfgen.Options{PlainAttach: b.plain}, noParams))
}

// noParams answers $1 and $NAME: scripts of a configuration have none.
func noParams(string) (string, bool) { return "", false }

// Compile generates the programs of a checked script.
func (b *KernelBackend) Compile(script *plylang.Script, opt bpfgen.Options) (*object.Object, error) {
	opt.PlainAttach = b.plain
	return bpfgen.Compile(script, b.kernel, opt)
}

// Start loads and attaches objects, or takes over what is pinned of them.
func (b *KernelBackend) Start(list []Start) ([]Tracer, []error) {
	objs, names := make([]*object.Object, len(list)), make([]tracer.PinName, len(list))
	for i, s := range list {
		objs[i], names[i] = s.Object, s.Pin
		if s.Symbols && b.pins.Holds(s.Pin, s.Object.PinHash) {
			go b.machine.ReadSymbols() // the first scrape of it will show some
		}
		if err := b.machine.PrepareFor(s.Object); err != nil {
			b.log.Warn(err.Error())
		}
	}
	printer := b.newPrinter(objs)
	started, errs := tracer.StartAll(objs, tracer.Options{
		Kernel: b.kernel, Log: b.log, OnEvent: printer.event, Cgroups: b.machine, Pins: b.pins, PinAs: names,
	})
	out := make([]Tracer, len(objs))
	for i, t := range started {
		if t == nil || errs[i] != nil {
			continue
		}
		printer.stacks[i].of.Store(t)
		out[i] = &kernelTracer{t, decode.New(b.machine, objs[i].Probes, t), func() uint64 { return printer.omittedOf(objs[i]) }}
	}
	return out, errs
}

// Statistics has the kernel keep statistics of programs.
func (b *KernelBackend) Statistics() (io.Closer, error) { return tracer.KeepStatistics() }

// Host reads all BPF programs of the machine.
func (b *KernelBackend) Host() (HostReader, bool) {
	return &tracer.Host{}, tracer.CountsMissed(b.kernel)
}

// Forget gives back what only compiling and starting need: the kernel's types,
// for the most part.
func (b *KernelBackend) Forget() { b.kernel.Forget() }

// Prepare implements Backend.
func (b *KernelBackend) Prepare() {
	b.kernel.Forget()
	b.kernel.Prepare()
}

// FileNames are the programs and libraries that a script names.
func (b *KernelBackend) FileNames(src *plylang.Source) []string {
	script, _ := plylang.Parse(src) // what is wrong is told elsewhere
	if script == nil {
		return nil
	}
	return bpfgen.FileNames(script)
}

// Look returns the files of the programs and libraries of these names.
func (b *KernelBackend) Look(names []string) []object.File { return bpfgen.Look(names) }

// Verify lets this kernel verify an object.
func (b *KernelBackend) Verify(obj *object.Object) error {
	return tracer.Verify(obj, tracer.Options{Kernel: b.kernel, Log: b.log})
}

// kernelTracer is a script that runs in the kernel.
type kernelTracer struct {
	*tracer.Tracer
	decoder *decode.Decoder
	omitted func() uint64
}

func (t *kernelTracer) OmittedLines() uint64 { return t.omitted() }

func (t *kernelTracer) Contents(m *object.Map) (Contents, error) {
	c, err := t.Tracer.Contents(m)
	t.decoder.NumbersRead()
	return c, err
}

func (t *kernelTracer) Text(v object.Value) string { return t.decoder.Text(v) }

func (t *kernelTracer) Labels(v object.Value) ([]string, bool) { return t.decoder.Labels(v) }

func (t *kernelTracer) Life(v object.Value) (time.Duration, bool) { return t.decoder.Life(v) }

func (t *kernelTracer) Probes() []Probe {
	var out []Probe
	for _, p := range t.Tracer.Probes() {
		out = append(out, Probe{
			Spec: p.Spec.String(), Kind: p.Attach, Why: p.Why, Sites: p.Sites, Covers: p.Covers, Attached: p.Attached, Err: p.Err,
			Missed: p.Missed, MissedKnown: p.MissedKnown,
		})
	}
	return out
}
