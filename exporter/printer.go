package exporter

import (
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"ply-exporter/bpfgen/object"
	"ply-exporter/tracer"
	"ply-exporter/tracer/decode"
)

// What scripts print goes to the log: so many lines a second, more for a short
// time. What is left out is counted, and the log says how much some time after
// the first, whether or not another line comes.
const (
	printsPerSecond = 10
	printsAtOnce    = 100
	tellOmitted     = 5 * time.Second
)

// A printer logs what scripts print. The scripts of a configuration share one,
// and its limit.
type printer struct {
	log  *slog.Logger
	from map[*object.Event]*printing

	stacks []*laterStacks // by the index of the object

	lock  sync.Mutex // each script has its own reader of events
	limit *rate.Limiter
}

// A printing is what an event's script is, how its values become text, and how
// many of its lines were left out.
type printing struct {
	source  string
	decoder *decode.Decoder
	omitted atomic.Uint64
	told    uint64 // how many of them the log has told
	telling bool   // and that it will tell more
}

func (b *KernelBackend) newPrinter(objs []*object.Object) *printer {
	p := &printer{
		log: b.log, from: map[*object.Event]*printing{},
		limit: rate.NewLimiter(printsPerSecond, printsAtOnce),
	}
	for _, obj := range objs {
		stacks := &laterStacks{}
		from := &printing{source: obj.Script.Src.Name(), decoder: decode.New(b.machine, obj.Probes, stacks)}
		p.stacks = append(p.stacks, stacks)
		for _, e := range obj.Events {
			p.from[e] = from
		}
	}
	return p
}

// laterStacks are those of a script that may print before it has started: then there are
// none.
type laterStacks struct{ of atomic.Pointer[tracer.Tracer] }

func (s *laterStacks) Stack(id int64) []uint64 {
	if t := s.of.Load(); t != nil {
		return t.Stack(id)
	}
	return nil
}

func (s *laterStacks) UserStack(id int64) []object.Frame {
	if t := s.of.Load(); t != nil {
		return t.UserStack(id)
	}
	return nil
}

func (s *laterStacks) LaterProbe(id int64) string {
	if t := s.of.Load(); t != nil {
		return t.LaterProbe(id)
	}
	return ""
}

// event logs one event, if there is room for it. Maps are on the status page
// and are not printed.
func (p *printer) event(e *object.Event, record []byte) {
	if e.Kind != object.EventPrint && e.Kind != object.EventPrintf {
		return
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	from := p.from[e]
	if !p.limit.Allow() {
		p.omit(from)
		return
	}
	from.decoder.EventRead()
	text := p.text(e, from.decoder, e.Split(record))
	p.log.Info("printed", "by", from.source, "text", decode.ForLabel.Escape(strings.TrimSuffix(text, "\n")))
}

// omit counts a line that is left out, and has the log say it soon.
func (p *printer) omit(from *printing) {
	from.omitted.Add(1)
	if from.telling {
		return
	}
	from.telling = true
	time.AfterFunc(tellOmitted, func() { p.tell(from) })
}

// tell logs how many lines were left out since the last time.
func (p *printer) tell(from *printing) {
	p.lock.Lock()
	defer p.lock.Unlock()
	n := from.omitted.Load()
	p.log.Warn("lines left out: scripts print faster than is logged", "by", from.source, "lines", n-from.told)
	from.told, from.telling = n, false
}

// omittedOf returns how many lines of a script were left out.
func (p *printer) omittedOf(obj *object.Object) uint64 {
	if len(obj.Events) == 0 {
		return 0
	}
	return p.from[obj.Events[0]].omitted.Load()
}

func (p *printer) text(e *object.Event, d *decode.Decoder, values []object.Value) string {
	if e.Kind == object.EventPrintf {
		return d.Sprintf(e.Format, values)
	}
	var texts []string
	for _, v := range values {
		texts = append(texts, d.Text(v))
	}
	return strings.Join(texts, ", ")
}
