package exporter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// A pair is a key and its value as a test writes them.
type pair struct{ key, value []byte }

// A fakeTracer is a script that runs nowhere: its maps hold what a test puts
// there.
type fakeTracer struct {
	rows    map[string][]pair
	dropped map[string]uint64
	err     error
	probes  []Probe
	reads   int
	closed  bool
	block   chan struct{} // when not nil, reading waits for it
}

func (f *fakeTracer) Rows(m *object.Map) ([]Row, error) {
	f.reads++
	if f.block != nil {
		<-f.block
	}
	var rows []Row
	for _, p := range f.rows[m.Name] {
		rows = append(rows, Row{Key: p.key, Value: p.value})
	}
	return rows, f.err
}

func (f *fakeTracer) Dropped(m *object.Map) uint64 { return f.dropped[m.Name] }
func (f *fakeTracer) MapMemory(*object.Map) uint64 { return 4096 }
func (f *fakeTracer) Probes() []Probe              { return f.probes }
func (f *fakeTracer) Created() time.Time           { return time.Unix(1000, 0) }
func (f *fakeTracer) Close() error                 { f.closed = true; return nil }

func (f *fakeTracer) Text(v object.Value) string {
	if v.Type.Kind == plylang.String {
		text, _, _ := strings.Cut(string(v.Raw), "\x00")
		return text
	}
	return fmt.Sprint(v.Int())
}

// boundBuckets are the buckets of a histogram counted into bounds.
type boundBuckets []uint64

func (b boundBuckets) Len() int { return len(b) + 2 }

func (b boundBuckets) Range(i int) (lo, hi int64, hasLo, hasHi bool) {
	switch {
	case i == 0:
		return 0, -1, false, true
	case i == 1:
		return 0, int64(b[0]), true, true
	case i == len(b)+1:
		return int64(b[i-2]) + 1, 0, true, false
	}
	return int64(b[i-2]) + 1, int64(b[i-1]), true, true
}

// A mapSpec describes a map by hand: an aggregation's name ("" for a table),
// the type of its values, and its keys.
type mapSpec struct {
	name  string
	agg   string
	value *plylang.Type
	keys  []plylang.Expr
}

// typed gives an expression its type.
func typed(x plylang.Expr, t *plylang.Type) plylang.Expr {
	x.SetType(t)
	return x
}

func variable(name string, t *plylang.Type) plylang.Expr {
	return typed(&plylang.Name{Name: name, Func: &plylang.Func{Name: name}}, t)
}

func local(name string, t *plylang.Type) plylang.Expr {
	return typed(&plylang.Name{Name: name, Local: &plylang.Local{Name: name, Type: t}}, t)
}

func member(x, name string, t *plylang.Type) plylang.Expr {
	return typed(&plylang.Member{X: variable(x, nil), Name: name, Arrow: true}, t)
}

func call(name string, t *plylang.Type, args ...plylang.Expr) plylang.Expr {
	return typed(&plylang.Call{Name: name, Args: args, Func: &plylang.Func{Name: name}}, t)
}

func text(s string) plylang.Expr {
	return typed(&plylang.StringLit{Value: s}, plylang.StringType(len(s)+1))
}

// scriptOf makes the checked script that has these maps, each fed by one probe.
func scriptOf(src *plylang.Source, specs ...mapSpec) *plylang.Script {
	s := &plylang.Script{Src: src}
	body := &plylang.Block{}
	probe := &plylang.Probe{Specs: []*plylang.Spec{{Provider: "tracepoint", Target: "sched/sched_switch"}}, Body: body}
	s.Probes = []*plylang.Probe{probe}
	s.Clauses = []*plylang.Clause{{Probe: probe, Body: body}}
	for _, spec := range specs {
		ref := &plylang.MapRef{Name: spec.name, Keys: spec.keys}
		m := &plylang.Map{Name: spec.name, Uses: []*plylang.MapRef{ref}, Value: spec.value, Stored: true}
		ref.Map = m
		for _, k := range spec.keys {
			m.Keys = append(m.Keys, k.Type())
		}
		assign := &plylang.Assign{LHS: ref, Op: plylang.ASSIGN, X: variable("time", spec.value)}
		if spec.agg != "" {
			var args []plylang.Expr
			if spec.value != nil {
				args = []plylang.Expr{variable("arg0", spec.value)}
			}
			m.Agg, m.Args = &plylang.Func{Name: spec.agg, Role: plylang.Aggregation}, args
			assign.X = call(spec.agg, nil, args...)
		}
		body.Stmts = append(body.Stmts, assign)
		s.Maps = append(s.Maps, m)
	}
	return s
}

// A fakeBackend has checked scripts by their text and runs them nowhere.
type fakeBackend struct {
	scripts map[string][]mapSpec
	tracers map[string]*fakeTracer
	checks  map[string]error
}

func (b *fakeBackend) Check(src *plylang.Source) (*plylang.Script, error) {
	text := strings.TrimSpace(src.Text)
	if err := b.checks[text]; err != nil {
		var e *plylang.Error
		if errors.As(err, &e) {
			e.Src = src
			return nil, plylang.ErrorList{e}
		}
		return nil, err
	}
	return scriptOf(src, b.scripts[text]...), nil
}

func (b *fakeBackend) Compile(s *plylang.Script, opt bpfgen.Options) (*object.Object, error) {
	obj := &object.Object{Script: s, Hash: "cafe"}
	for i, decl := range s.Maps {
		m := &object.Map{Map: decl, ID: i, Values: bpfgen.ValuesOf(decl.Agg), Size: 8, MaxEntries: 10240, Room: 10240}
		switch m.Shape {
		case object.ShapeRaw:
			m.Size = (decl.Value.Size + 7) &^ 7
		case object.ShapeMean:
			m.Size = 16
		case object.ShapeHistogram:
			m.Buckets = boundBuckets(opt.Maps[decl.Name].Bounds)
			m.Size = 8 + 8*m.Buckets.Len()
		}
		if n := opt.Maps[decl.Name].MaxEntries; n > 0 {
			m.MaxEntries = n
		}
		for _, k := range decl.Keys {
			m.Key = append(m.Key, object.KeyPart{Type: k, Offset: m.KeySize})
			m.KeySize += (k.Size + 7) &^ 7
		}
		obj.Maps = append(obj.Maps, m)
	}
	return obj, nil
}

func (b *fakeBackend) Start(objs []*object.Object) ([]Tracer, []error) {
	tracers, errs := make([]Tracer, len(objs)), make([]error, len(objs))
	for i, obj := range objs {
		t := b.tracers[strings.TrimSpace(obj.Script.Src.Text)]
		if t == nil {
			t = &fakeTracer{}
		}
		tracers[i] = t
	}
	return tracers, errs
}

func (b *fakeBackend) Verify(*object.Object) error { return nil }

// words lays numbers side by side, as a map's value has them.
func words(ns ...int64) []byte {
	var b []byte
	for _, n := range ns {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	return b
}

// chars pads text to a key component of 16 bytes.
func chars(s string) []byte { return append([]byte(s), make([]byte, 16-len(s))...) }

// histogramValue counts values as the code generator does.
func histogramValue(thresholds []uint64, values ...int64) []byte {
	counters := make([]int64, len(thresholds)+3)
	for _, v := range values {
		counters[0] += v
		i := 1
		if v >= 0 {
			for i = 2; i-2 < len(thresholds) && uint64(v) > thresholds[i-2]; i++ {
			}
		}
		counters[i]++
	}
	return words(counters...)
}

// run starts a configuration on a fake backend.
func run(t testing.TB, b *fakeBackend, yaml string) *collector {
	t.Helper()
	cfg, err := config.Parse("probes.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	scripts, fatal := compile(cfg, b)
	if len(fatal) > 0 {
		t.Fatal(fatal.Detail())
	}
	start(scripts, b)
	return &collector{scripts: scripts, maxSeries: 50000, log: slog.New(slog.DiscardHandler)}
}

// scrape returns what /metrics shows, without the exporter's own metrics.
func scrape(t testing.TB, c *collector) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(scrapeAll(t, c)) {
		if !selfLine(line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func selfLine(line string) bool {
	line = strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE ")
	for _, own := range selfMetrics {
		if strings.HasPrefix(line, own.name) {
			return true
		}
	}
	return false
}

func scrapeAll(t testing.TB, c *collector) string {
	t.Helper()
	families, err := c.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	enc := expfmt.NewEncoder(&b, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}
