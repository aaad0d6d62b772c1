package tracer

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/cilium/ebpf/link"

	"ply-exporter/bpfgen/object"
)

// pinAll pins what the script has. One that cannot be pinned runs all the same.
func (t *Tracer) pinAll(p *Pins, as PinName) {
	if p == nil || t.folder != "" || as.Name == "" {
		return
	}
	folder, err := p.newFolder(as.Name)
	if err == nil {
		if err = t.pin(folder, as); err != nil {
			_ = removePinned(folder)
		}
	}
	if err != nil {
		t.opt.log().Warn("script cannot be pinned: it starts afresh with the next exporter", "script", as.Name, "err", err)
		return
	}
	t.folder = folder
}

// pin pins everything into a folder, and the record last.
func (t *Tracer) pin(folder string, as PinName) error {
	in := func(name string) string { return filepath.Join(folder, name) }
	r := &pinRecord{Name: as.Name, Hash: t.obj.Hash, Claims: as.Claims, Created: t.created.UnixNano(), Pinned: time.Now().UnixNano(), Maps: mapNames(t.obj)}
	for i, name := range r.Maps {
		if err := t.coll.Maps[name].Pin(in(mapPin(i))); err != nil {
			return fmt.Errorf("map %s: %w", name, err)
		}
	}
	if err := t.notesIn.Pin(in(notesPin)); err != nil {
		return err
	}
	for i, p := range t.programs {
		pinned, err := p.pin(i, in)
		if err != nil {
			return fmt.Errorf("program %s: %w", p.Name, err)
		}
		r.Programs = append(r.Programs, pinned)
	}
	for i, s := range t.sets {
		r.Sets = append(r.Sets, s.link != nil)
		if s.link == nil {
			continue
		}
		links, err := linksOf(s.link)
		if err == nil {
			err = links.links[0].Pin(in(setPin(i)))
		}
		if err != nil {
			return fmt.Errorf("cgroups of %q: %w", s.Text, err)
		}
	}
	t.record = r
	return r.write(folder)
}

// Claim notes what has the script's counts from now on, if it is pinned.
func (t *Tracer) Claim(claims map[string]string) {
	t.life.RLock()
	defer t.life.RUnlock()
	if t.closed || t.folder == "" || maps.Equal(claims, t.record.Claims) {
		return
	}
	t.record.Claims = claims
	if err := t.record.write(t.folder); err != nil {
		t.opt.log().Warn("what is pinned of a script is known by its old metrics: the next exporter may start it afresh", "script", t.record.Name, "err", err)
	}
}

// mapNames are the names of a script's maps in the kernel.
func mapNames(obj *object.Object) (names []string) {
	for name := range obj.Spec.Maps {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// pin pins the i-th program of the script and its links.
func (p *program) pin(i int, in func(string) string) (r programRecord, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r = programRecord{Name: p.Name, Ran: p.ran, Before: p.before}
	if err := p.kernel.Pin(in(programPin(i))); err != nil {
		return r, err
	}
	pins := 0
	for _, l := range p.links {
		parts, err := linksOf(l)
		if err != nil {
			return r, err
		}
		for _, one := range parts.links {
			if err := one.Pin(in(linkPin(i, pins))); err != nil {
				return r, err
			}
			pins++
		}
		parts.record.Pins = len(parts.links)
		r.Links = append(r.Links, parts.record)
	}
	if r.Files, err = recordFiles(p.Points); err != nil {
		return r, err
	}
	point := map[string]int{}
	for n, at := range p.Points {
		point[at.Key()] = n
	}
	for _, at := range p.attached {
		r.Attached = append(r.Attached, point[at.Key()])
	}
	for _, left := range p.refused {
		r.Refused = append(r.Refused, refusedRecord{point[left.site.Key()], left.err.Error()})
	}
	return r, nil
}

// linkParts are the links in the kernel that a link of an attacher stands for, and what
// else belongs to it.
type linkParts struct {
	links  []link.Link
	record linkRecord
}

// linksOf takes a link apart. An event that holds its program without a link has no
// other life than this process.
func linksOf(l io.Closer) (parts linkParts, err error) {
	switch l := l.(type) {
	case withoutRoom:
		parts, err = linksOf(l.Closer)
		parts.record.Reason = l.reason
	case returnEvent:
		parts.record.Event, parts.record.File = l.Category+"/"+l.Event, l.file
	case *cpuEvents:
		return linksOf(l.parts())
	case closers:
		for _, one := range l {
			if _, ok := one.(fd); ok {
				continue
			}
			inner, err := linksOf(one)
			if err != nil {
				return parts, err
			}
			parts.links = append(parts.links, inner.links...)
			if inner.record.Event != "" {
				parts.record.Event, parts.record.File = inner.record.Event, inner.record.File
			}
		}
		if len(parts.links) == 0 {
			return parts, fmt.Errorf("this kernel has no links for perf events, which Linux 5.15 brought")
		}
	case link.Link:
		parts.links = []link.Link{l}
	default:
		panic(fmt.Sprintf("tracer: a link is a %T", l))
	}
	return parts, err
}

// Pinned says whether the script would outlive this process.
func (t *Tracer) Pinned() bool {
	t.life.RLock()
	defer t.life.RUnlock()
	return t.folder != ""
}

// unpin removes the names: from now on the script ends with this process.
func (t *Tracer) unpin() error {
	t.life.Lock()
	folder := t.folder
	t.folder = ""
	t.life.Unlock()
	if folder == "" {
		return nil
	}
	if err := removePinned(folder); err != nil {
		return fmt.Errorf("unpin: %w", err)
	}
	return nil
}

// Leave ends what this process does for the script. If it is pinned, it counts on and
// belongs to the next process; if not, it is closed.
func (t *Tracer) Leave() error {
	if t.folder == "" {
		return t.Close()
	}
	t.leaving = true
	return t.Close()
}

// leave closes a link of which the kernel has a pin; nil is none.
func leave(l io.Closer) error {
	switch l := l.(type) {
	case nil, returnEvent:
		return nil
	case withoutRoom:
		return leave(l.Closer)
	case *cpuEvents:
		return leave(l.parts())
	case closers:
		var left error
		for _, one := range l {
			if err := leave(one); err != nil {
				left = err
			}
		}
		return left
	}
	return l.Close()
}
