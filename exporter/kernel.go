package exporter

import (
	"log/slog"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
	"ply-exporter/tracer/decode"
)

// kernelBackend runs scripts on this machine's kernel.
type kernelBackend struct {
	kernel *kernel.Kernel
	log    *slog.Logger
	plain  bool
}

// NewBackend returns the backend of this machine. plainAttach attaches probes
// as their names say, without looking for a cheaper way.
func NewBackend(k *kernel.Kernel, log *slog.Logger, plainAttach bool) Backend {
	return &kernelBackend{kernel: k, log: log, plain: plainAttach}
}

func (b *kernelBackend) Check(src *plylang.Source) (*plylang.Script, error) {
	script, err := plylang.Parse(src)
	if err != nil {
		return nil, err
	}
	return script, plylang.Check(script, bpfgen.NewEnv(b.kernel, noParams))
}

// noParams answers $1 and $NAME: scripts of a configuration have none.
func noParams(string) (string, bool) { return "", false }

func (b *kernelBackend) Compile(script *plylang.Script, opt bpfgen.Options) (*bpfgen.Object, error) {
	opt.PlainAttach = b.plain
	return bpfgen.Compile(script, b.kernel, opt)
}

func (b *kernelBackend) Start(objs []*bpfgen.Object) ([]Tracer, []error) {
	started, errs := tracer.StartAll(objs, tracer.Options{Kernel: b.kernel, Log: b.log})
	out := make([]Tracer, len(objs))
	for i, t := range started {
		if t != nil && errs[i] == nil {
			out[i] = &kernelTracer{t, decode.New(b.kernel, objs[i].Places, nil)}
		}
	}
	return out, errs
}

func (b *kernelBackend) Verify(obj *bpfgen.Object) error {
	return tracer.Verify(obj, tracer.Options{Kernel: b.kernel, Log: b.log})
}

// kernelTracer is a script that runs in the kernel.
type kernelTracer struct {
	*tracer.Tracer
	decoder *decode.Decoder
}

func (t *kernelTracer) Text(v bpfgen.Value) string { return t.decoder.Text(v) }

func (t *kernelTracer) Probes() []Probe {
	var out []Probe
	for _, p := range t.Tracer.Probes() {
		out = append(out, Probe{
			Spec: p.Text, Kind: p.Attach, Why: p.Why, Places: p.Places, Covers: p.Covers, Attached: p.Attached, Err: p.Err,
			Missed: p.Missed, MissedKnown: p.MissedKnown,
		})
	}
	return out
}
