package tracer

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// An attacher attaches programs of one object.AttachKind. Either one or many is
// set.
type attacher struct {
	// one attaches to a single site. The cookie is 0 or the attach point's id.
	one func(p *ebpf.Program, at object.Site, cookie uint64) (io.Closer, error)

	// open opens the event that one attaches to, and lets it run nothing; nil
	// where there is none.
	open func(at object.Site) (io.Closer, error)

	// many attaches to all attach points of a list, with their ids as cookies,
	// or to none. Each of the lists that divide makes of them takes a link.
	many   func(p *ebpf.Program, points []object.AttachPoint) (io.Closer, error)
	divide func(points []object.AttachPoint) [][]object.AttachPoint
}

// attachers has a row for each attach kind by which the kernel runs a program;
// BEGIN and END are run by ourselves.
var attachers = map[object.AttachKind]attacher{
	object.AttachTracepoint:     {one: siteOf(attachTracepoint)},
	object.AttachRawTracepoint:  {one: siteOf(attachRawTracepoint)},
	object.AttachKprobe:         {one: siteOf(attachKprobe), open: eventOf(openKprobe)},
	object.AttachKretprobe:      {one: siteOf(attachKretprobe), open: eventOf(openKretprobe)},
	object.AttachKprobeMulti:    {many: attachKprobeMulti, divide: byNameOrAddress},
	object.AttachKretprobeMulti: {many: attachKretprobeMulti, divide: byNameOrAddress},
	object.AttachKprobeSession:  {many: attachKprobeSession, divide: byNameOrAddress},
	object.AttachFentry:         {one: siteOf(attachFentry)},
	object.AttachFexit:          {one: siteOf(attachFentry)},
	object.AttachUprobe:         {one: siteOf(attachUprobe), open: eventOf(openUprobe)},
	object.AttachUretprobe:      {one: siteOf(attachUretprobe), open: eventOf(openUretprobe)},
	object.AttachUprobeMulti:    {many: attachUprobeMulti, divide: byFile},
	object.AttachUretprobeMulti: {many: attachUretprobeMulti, divide: byFile},
	object.AttachPerfEvent:      {one: siteOf(attachPerfEvent), open: eventOf(openPerfEvents)},
}

// siteOf makes an attacher of a function that knows one kind of site.
func siteOf[S object.Site](attach func(*ebpf.Program, S, uint64) (io.Closer, error)) func(*ebpf.Program, object.Site, uint64) (io.Closer, error) {
	return func(p *ebpf.Program, at object.Site, cookie uint64) (io.Closer, error) {
		return attach(p, known[S](at), cookie)
	}
}

func eventOf[S object.Site](open func(S) (io.Closer, error)) func(object.Site) (io.Closer, error) {
	return func(at object.Site) (io.Closer, error) { return open(known[S](at)) }
}

func known[S object.Site](at object.Site) S {
	site, ok := at.(S)
	if !ok {
		panic(fmt.Sprintf("tracer: a program for a %T is to be attached to a %T", site, at))
	}
	return site
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
	}
	for _, p := range t.programs {
		if len(p.refused) > 0 && !t.attachedAny(p) {
			return t.fail(p, p.refused[0].err)
		}
	}
	for _, err := range leftOut(t.programs...) {
		t.opt.log().Warn("probe not attached", "reason", err)
	}
	return nil
}

// attachedAny says whether a program with a specification of p is attached: each of
// the functions that a glob matches may have one.
func (t *Tracer) attachedAny(p *program) bool {
	return slices.ContainsFunc(t.programs, func(q *program) bool {
		return len(q.attached) > 0 && slices.ContainsFunc(q.Specs, func(s *plylang.Spec) bool { return slices.Contains(p.Specs, s) })
	})
}

// tryEvents opens the events that attach would attach to, so that what this
// machine lacks is known without running a program. Those of a glob are left
// out: that one of them refuses is no error.
func (t *Tracer) tryEvents() error {
	for _, p := range t.programs {
		open := attachers[p.Attach].open
		if open == nil {
			continue
		}
		for _, at := range p.Points {
			if at.Glob {
				continue
			}
			event, err := open(at.Site)
			if err != nil {
				return t.fail(p, explainSite(p.Attach, at.Site, err))
			}
			if err := event.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

// attach attaches p to its sites. It fails when a site that the user named
// refuses.
func (p *program) attach() error {
	if len(p.refused) > 0 { // when it was loaded
		return nil
	}
	a, ok := attachers[p.Attach]
	if !ok {
		panic(fmt.Sprintf("tracer: no way to attach %q", p.Attach))
	}
	attach := p.attachEach
	if a.many != nil {
		attach = p.attachLinks
	}
	return attach(a, p.Points)
}

func (p *program) attachEach(a attacher, points []object.AttachPoint) error {
	for _, at := range points {
		l, err := p.attachOne(a, at)
		if err := p.note(l, err, at); err != nil {
			return err
		}
	}
	return nil
}

// attachOne gives the attach point its id as a cookie when the program could
// not tell its sites apart otherwise. A kernel without cookies does without:
// the code generator has then made programs that do not ask.
func (p *program) attachOne(a attacher, at object.AttachPoint) (io.Closer, error) {
	if len(p.Points) == 1 || at.ID == 0 {
		return a.one(p.kernel, at.Site, 0)
	}
	l, err := a.one(p.kernel, at.Site, at.ID)
	if errors.Is(err, ebpf.ErrNotSupported) {
		return a.one(p.kernel, at.Site, 0)
	}
	return l, err
}

// attachLinks attaches to many sites by each link.
func (p *program) attachLinks(a attacher, points []object.AttachPoint) error {
	for _, list := range a.divide(points) {
		if err := p.attachMany(a, list); err != nil {
			return err
		}
	}
	return nil
}

// attachMany attaches to all sites at once. One that refuses makes the kernel
// refuse all, without saying which; halving finds it.
func (p *program) attachMany(a attacher, points []object.AttachPoint) error {
	l, err := a.many(p.kernel, points)
	if err == nil || len(points) == 1 || !refusal(err) && !(forbidden(err) && p.someTake(a, points)) {
		return p.note(l, err, points...)
	}
	half := len(points) / 2
	if err := p.attachMany(a, points[:half]); err != nil {
		return err
	}
	return p.attachMany(a, points[half:])
}

// someTake says whether the first or the last of attach points takes the program by
// itself: then it is not our rights that the others are refused for.
func (p *program) someTake(a attacher, points []object.AttachPoint) bool {
	for _, at := range []object.AttachPoint{points[0], points[len(points)-1]} {
		if l, err := a.many(p.kernel, []object.AttachPoint{at}); err == nil {
			_ = l.Close()
			return true
		}
	}
	return false
}

// note records what became of attach points. That one of a glob refuses is no
// error.
func (p *program) note(l io.Closer, err error, points ...object.AttachPoint) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.user.note(points)
	if err == nil {
		if _, isUser := points[0].Site.(object.UserFunction); isUser {
			l = &inFile{Closer: l, points: points}
		}
		p.links = append(p.links, l)
		p.attached = append(p.attached, points...)
		p.noteModules(points)
		return nil
	}
	r := refused{points[0].Site, explainSite(p.Attach, points[0].Site, err)}
	if !refusal(err) && !(len(points) == 1 && forbidden(err)) || !points[0].Glob {
		return r.err
	}
	p.refused = append(p.refused, r)
	return nil
}
