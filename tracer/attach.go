package tracer

import (
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/object"
)

// An attacher attaches a program in one of the ways of bpfgen.AttachKind. One
// of its functions is set.
type attacher struct {
	// one attaches to a single place. The cookie is 0 or the place's id.
	one func(p *ebpf.Program, place object.Place, cookie uint64) (io.Closer, error)

	// many attaches to all places, with their ids as cookies, or to none.
	many func(p *ebpf.Program, places []object.Place) (io.Closer, error)
}

// attachers has a row for each way in by which the kernel runs a program;
// BEGIN and END are run by ourselves.
var attachers = map[object.AttachKind]attacher{
	object.AttachTracepoint:     {one: attachTracepoint},
	object.AttachRawTracepoint:  {one: attachRawTracepoint},
	object.AttachKprobe:         {one: attachKprobe},
	object.AttachKretprobe:      {one: attachKretprobe},
	object.AttachKprobeMulti:    {many: attachKprobeMulti},
	object.AttachKretprobeMulti: {many: attachKretprobeMulti},
	object.AttachPerfEvent:      {one: attachPerfEvent},
}

// runByUs says whether programs of that kind are run once, by ourselves.
func runByUs(kind object.AttachKind) bool {
	return kind == object.AttachBegin || kind == object.AttachEnd
}

// attach attaches all programs but BEGIN and END.
func (t *Tracer) attach() error {
	for _, p := range t.programs {
		if runByUs(p.Attach) {
			continue
		}
		if err := p.attach(); err != nil {
			return t.fail(p, err)
		}
		for _, err := range p.refused {
			t.opt.log().Warn("probe not attached", "reason", err)
		}
	}
	return nil
}

// attach attaches p to its places. It fails when a place that the user named
// refuses, or when all places of a glob do.
func (p *program) attach() error {
	a, ok := attachers[p.Attach]
	if !ok {
		panic(fmt.Sprintf("tracer: no way to attach %q", p.Attach))
	}
	attach := p.attachEach
	if a.many != nil {
		attach = p.attachLinks
	}
	if err := attach(a, p.Places); err != nil {
		return err
	}
	if len(p.attached) == 0 && len(p.refused) > 0 {
		return p.refused[0]
	}
	return nil
}

func (p *program) attachEach(a attacher, places []object.Place) error {
	for _, place := range places {
		l, err := p.attachOne(a, place)
		if err := p.note(l, err, place); err != nil {
			return err
		}
	}
	return nil
}

// attachOne gives the place its id as a cookie when the program could not
// tell its places apart otherwise. A kernel without cookies does without: the
// code generator has then made programs that do not ask.
func (p *program) attachOne(a attacher, place object.Place) (io.Closer, error) {
	if len(p.Places) == 1 || place.ID == 0 {
		return a.one(p.kernel, place, 0)
	}
	l, err := a.one(p.kernel, place, place.ID)
	if errors.Is(err, ebpf.ErrNotSupported) {
		return a.one(p.kernel, place, 0)
	}
	return l, err
}

// attachLinks attaches by one link to all places that go by name, and by
// another to those that go by address, because several have their name.
func (p *program) attachLinks(a attacher, places []object.Place) error {
	byName, byAddress := make([]object.Place, 0, len(places)), []object.Place(nil)
	for _, place := range places {
		if place.Addr != 0 {
			byAddress = append(byAddress, place)
		} else {
			byName = append(byName, place)
		}
	}
	for _, list := range [][]object.Place{byName, byAddress} {
		if len(list) == 0 {
			continue
		}
		if err := p.attachMany(a, list); err != nil {
			return err
		}
	}
	return nil
}

// attachMany attaches to all places at once. One place that refuses makes the
// kernel refuse all, without saying which; halving finds it.
func (p *program) attachMany(a attacher, places []object.Place) error {
	l, err := a.many(p.kernel, places)
	if err == nil || len(places) == 1 || !refusal(err) {
		return p.note(l, err, places...)
	}
	half := len(places) / 2
	if err := p.attachMany(a, places[:half]); err != nil {
		return err
	}
	return p.attachMany(a, places[half:])
}

// note records what became of places. That a glob's place refuses is no
// error.
func (p *program) note(l io.Closer, err error, places ...object.Place) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.links = append(p.links, l)
		p.attached = append(p.attached, places...)
		return nil
	}
	refused := refusal(err)
	err = explainPlace(p.Attach, places[0], err)
	if !refused || !places[0].Glob {
		return err
	}
	p.refused = append(p.refused, err)
	return nil
}
