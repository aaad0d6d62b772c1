package exporter

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

// A pair is a key and its value as a test writes them.
type pair struct{ key, value []byte }

// A fakeTracer is a script that runs nowhere: its maps hold what a test puts
// there.
type fakeTracer struct {
	lock      sync.Mutex // of rows and cleared, where a test changes them meanwhile
	rows      map[string][]pair
	read      []Row // when not nil, what is read instead
	cleared   time.Time
	expired   []pair
	taken     uint64
	past      bool
	dropped   map[string]uint64
	over      map[string]uint64
	others    map[string][]byte // values of the other keys
	late      map[string]uint64 // clears
	err       error
	probes    []Probe
	patterns  []CgroupPattern
	reads     int
	closed    bool
	pinned    bool
	startAt   time.Time
	left      []byte // the handover of the exporter before
	paused    bool
	every     int // one in how many events is looked at
	followed  []*object.Object
	followErr error
	attached  []object.FileID
	returned  bool
	cost      func() tracer.Cost // nil: what programs says
	programs  []tracer.ProgramCost
	block     chan struct{}    // when not nil, reading waits for it
	names     map[int64]string // of numbers
	groups    map[int64]fakeGroup
	text      func(v object.Value) string // nil: as numbers and strings are
}

func (f *fakeTracer) Contents(m *object.Map) (Contents, error) {
	f.reads++
	if f.block != nil {
		<-f.block
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	var rows []Row
	for _, p := range f.rows[m.Name] {
		rows = append(rows, Row{Key: p.key, Value: m.AppendRead(nil, p.value)})
	}
	if f.read != nil {
		rows = f.read
	}
	var expired []Row
	for _, p := range f.expired {
		expired = append(expired, Row{Key: p.key, Value: m.AppendRead(nil, p.value)})
	}
	other := f.others[m.Name]
	if other != nil {
		other = m.AppendRead(nil, other)
	}
	return Contents{Rows: slices.Values(rows), Len: len(rows), Other: other, Cleared: f.cleared, Expired: expired, ExpiredEnd: f.taken + uint64(len(expired))}, f.err
}

func (f *fakeTracer) TakeExpired(_ *object.Map, n uint64) {
	f.expired, f.taken = f.expired[n-f.taken:], n
}

// set changes what is in map @.
func (f *fakeTracer) set(rows []pair, cleared time.Time) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.rows, f.cleared = map[string][]pair{"@": rows}, cleared
}

func (f *fakeTracer) Dropped(m *object.Map) uint64    { return f.dropped[m.Name] }
func (f *fakeTracer) Overflowed(m *object.Map) uint64 { return f.over[m.Name] }
func (f *fakeTracer) LateClears(m *object.Map) uint64 { return f.late[m.Name] }
func (f *fakeTracer) Expired(*object.Map) uint64      { return f.taken + uint64(len(f.expired)) }
func (f *fakeTracer) DependOnPast(does bool)          { f.past = does }
func (f *fakeTracer) MapMemory(*object.Map) uint64    { return 4096 }
func (f *fakeTracer) Faults() uint64                  { return 3 }
func (f *fakeTracer) LostBegins() uint64              { return 2 }
func (f *fakeTracer) LostEvents() uint64              { return 3 }
func (f *fakeTracer) OmittedLines() uint64            { return 4 }
func (f *fakeTracer) CgroupPatterns() []CgroupPattern { return f.patterns }
func (f *fakeTracer) Probes() []Probe                 { return f.probes }
func (f *fakeTracer) SampleEvery(n int)               { f.every = n }
func (f *fakeTracer) FollowCPUs() error               { return nil }
func (f *fakeTracer) Follow(next *object.Object) ([]string, error) {
	f.followed = append(f.followed, next)
	if f.followErr != nil {
		return nil, f.followErr
	}
	return []string{"/usr/bin/app"}, nil
}
func (f *fakeTracer) Files() []object.FileID  { return f.attached }
func (f *fakeTracer) LetGo() []string         { return nil }
func (f *fakeTracer) MustStartAgain() bool    { return f.returned }
func (f *fakeTracer) Pause() error            { f.paused = true; return nil }
func (f *fakeTracer) Pinned() bool            { return f.pinned }
func (f *fakeTracer) Created() time.Time      { return time.Unix(1000, 0) }
func (f *fakeTracer) StartAt(at time.Time)    { f.startAt = at }
func (f *fakeTracer) Claim(map[string]string) {}
func (f *fakeTracer) Close() error            { f.closed = true; return nil }

// Costs has one program serve all probes.
func (f *fakeTracer) Costs() []tracer.ProgramCost {
	if f.cost == nil {
		return f.programs
	}
	var specs []string
	for _, p := range f.probes {
		specs = append(specs, p.Spec)
	}
	return []tracer.ProgramCost{{Specs: specs, Cost: f.cost()}}
}

func (f *fakeTracer) Text(v object.Value) string {
	if f.text != nil {
		return f.text(v)
	}
	if v.Type.Kind == plylang.String {
		text, _, _ := strings.Cut(string(v.Raw), "\x00")
		return text
	}
	if name, ok := f.names[v.Int()]; ok {
		return name
	}
	return fmt.Sprint(v.Int())
}

// A fakeGroup is a control group.
type fakeGroup struct {
	texts   []string // empty ones may be left out at the end
	unknown bool     // its texts may become others
	age     time.Duration
	gone    bool
}

func (f *fakeTracer) Labels(v object.Value) ([]string, bool) {
	g := f.groups[v.Int()]
	return append(slices.Clip(g.texts), make([]string, 7-len(g.texts))...), !g.unknown
}

func (f *fakeTracer) Life(v object.Value) (time.Duration, bool) {
	g := f.groups[v.Int()]
	return g.age, g.gone
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

// on is a script that does this at each switch of tasks.
func on(body string) string { return "tracepoint:sched/sched_switch { " + body + " }" }

// A fakeBackend checks and compiles for a recorded kernel, and runs scripts
// nowhere. A short text in the configuration may stand for a longer script.
type fakeBackend struct {
	scripts map[string]string
	tracers map[string]*fakeTracer
	checks  map[string]error
	stale   error                    // what checks of all say until it forgets
	names   map[string][]string      // of programs, by the script's text
	files   map[string][]object.File // by name
}

// compiler compiles for a recorded kernel.
var compiler = sync.OnceValue(func() *KernelBackend {
	k, err := kernel.Open(recorded.Files("6.18-amd64"))
	if err != nil {
		panic(err) // it is part of the test
	}
	return NewBackend(k, slog.New(slog.DiscardHandler), false)
})

func (b *fakeBackend) Check(src *plylang.Source) (*plylang.Script, error) {
	text := strings.TrimSpace(src.Text)
	if err := cmp.Or(b.stale, b.checks[text]); err != nil {
		var e *plylang.Error
		if errors.As(err, &e) {
			e.Src = src
			return nil, plylang.ErrorList{e}
		}
		return nil, err
	}
	long := *src
	long.Text = b.long(text)
	return compiler().Check(&long)
}

func (b *fakeBackend) FileNames(src *plylang.Source) []string {
	return b.names[strings.TrimSpace(src.Text)]
}

func (b *fakeBackend) Look(names []string) (files []object.File) {
	for _, name := range names {
		if found := b.files[name]; found != nil {
			files = append(files, found...)
		} else {
			files = append(files, object.File{Name: name})
		}
	}
	return files
}

// long is the script that a text stands for.
func (b *fakeBackend) long(text string) string { return cmp.Or(b.scripts[text], text) }

func (b *fakeBackend) Compile(s *plylang.Script, opt bpfgen.Options) (*object.Object, error) {
	return compiler().Compile(s, opt)
}

// Leave keeps the handover for who starts the script again.
func (f *fakeTracer) Leave(handover func() []byte) error {
	if f.pinned {
		f.left = handover()
	}
	return f.Close()
}

func (b *fakeBackend) Start(list []Start) ([]Tracer, []error) {
	tracers, errs := make([]Tracer, len(list)), make([]error, len(list))
	for i, start := range list {
		t := &fakeTracer{}
		for text, tracer := range b.tracers {
			if b.long(text) == strings.TrimSpace(start.Object.Script.Src.Text) {
				t = tracer
			}
		}
		if t.left != nil {
			if !start.Pin.Resume(t.left) {
				errs[i] = errors.New("the handover is of no use")
			}
			t.expired = nil // only the process knew, before
		}
		tracers[i], t.left, t.closed = t, nil, false
	}
	return tracers, errs
}

func (b *fakeBackend) Statistics() (io.Closer, error) { return io.NopCloser(nil), nil }

func (b *fakeBackend) Host() (HostReader, bool) { return &fakeHost{}, true }

func (b *fakeBackend) Forget()  { b.stale = nil }
func (b *fakeBackend) Prepare() { b.stale = nil }

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
	var b strings.Builder
	h := &metricsHandler{collector: c, log: newLimitedLog(c.log)}
	if err := h.write(&b, expfmt.FmtText, time.Now(), nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
