package exporter

import (
	"log/slog"
	"strings"
	"sync"

	"golang.org/x/time/rate"

	"ply-exporter/bpfgen/object"
	"ply-exporter/tracer/decode"
)

// What scripts print goes to the log: so many lines a second, more for a short
// time. What is left out is counted.
const (
	printsPerSecond = 10
	printsAtOnce    = 100
)

// A printer logs what scripts print. The scripts of a configuration share one,
// and its limit.
type printer struct {
	log  *slog.Logger
	from map[*object.Event]*printing

	lock    sync.Mutex // each script has its own reader of events
	limit   *rate.Limiter
	omitted int
}

// A printing is what an event's script is and how its values become text.
type printing struct {
	source  string
	decoder *decode.Decoder
}

func (b *KernelBackend) newPrinter(objs []*object.Object) *printer {
	p := &printer{
		log: b.log, from: map[*object.Event]*printing{},
		limit: rate.NewLimiter(printsPerSecond, printsAtOnce),
	}
	for _, obj := range objs {
		from := &printing{obj.Script.Src.Name(), decode.New(b.machine, obj.Probes, nil)}
		for _, e := range obj.Events {
			p.from[e] = from
		}
	}
	return p
}

// event logs one event, if there is room for it. Maps are on the status page
// and are not printed.
func (p *printer) event(e *object.Event, record []byte) {
	if e.Kind != object.EventPrint && e.Kind != object.EventPrintf {
		return
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	if !p.limit.Allow() {
		p.omitted++
		return
	}
	from := p.from[e]
	text := p.text(e, from.decoder, e.Split(record))
	args := []any{"by", from.source, "text", decode.ForLabel.Escape(strings.TrimSuffix(text, "\n"))}
	if p.omitted > 0 {
		args = append(args, "lines_left_out_before", p.omitted)
		p.omitted = 0
	}
	p.log.Info("printed", args...)
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
