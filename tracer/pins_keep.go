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
	r := &pinRecord{Name: as.Name, Hash: t.obj.PinHash, Probes: t.obj.Probes, Claims: as.Claims, Created: t.created.UnixNano(), Pinned: time.Now().UnixNano(), Maps: mapNames(t.obj)}
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
	for _, l := range p.links {
		record, parts, err := r.add(i, l)
		if err != nil {
			return r, err
		}
		if err := pinLinks(parts, record, in); err != nil {
			return r, err
		}
	}
	r.Modules = moduleFolders(p.Points)
	point := map[string]int{}
	for n, at := range p.Points {
		point[at.Key()] = n
	}
	for _, at := range p.attached {
		if _, isUser := at.Site.(object.UserFunction); !isUser {
			r.Attached = append(r.Attached, point[at.Key()])
		}
	}
	for _, left := range p.refused {
		r.addRefused(left, point[left.site.Key()])
	}
	return r, nil
}

// add enters a link of the i-th program, with names for its pins that no other has.
func (r *programRecord) add(i int, l io.Closer) (linkRecord, []link.Link, error) {
	parts, err := linksOf(l)
	if err != nil {
		return parts.record, nil, err
	}
	for range parts.links {
		parts.record.Pins = append(parts.record.Pins, linkPin(i, r.Next))
		r.Next++
	}
	if f, ok := l.(*inFile); ok {
		f.pins = parts.record.Pins
	}
	parts.record.Now, _ = recordFile(parts.record.Places)
	r.Links = append(r.Links, parts.record)
	return parts.record, parts.links, nil
}

func (r *programRecord) addRefused(left refused, point int) {
	r.Refused = append(r.Refused, refusedRecord{point, recordPlaces([]object.AttachPoint{{Site: left.site}}), left.err.Error()})
}

func pinLinks(parts []link.Link, record linkRecord, in func(string) string) error {
	for i, one := range parts {
		if err := one.Pin(in(record.Pins[i])); err != nil {
			return err
		}
	}
	return nil
}

// pinLater pins the links to programs and libraries that are not pinned yet. What cannot
// be pinned ends with this process, and the next one attaches it anew.
func (t *Tracer) pinLater() {
	t.life.RLock()
	defer t.life.RUnlock()
	if t.closed || t.folder == "" {
		return
	}
	if err := t.record.pinLater(t); err != nil {
		t.opt.log().Warn("files that are new are not pinned: until the next exporter has started, they are not counted", "script", t.record.Name, "err", err)
	}
}

func (r *pinRecord) pinLater(t *Tracer) error {
	in := func(name string) string { return filepath.Join(t.folder, name) }
	r.Probes = append(slices.Clip(t.obj.Probes), t.moreNames()...)
	var pins []func() error
	for i, p := range t.programs {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, l := range p.links {
			if f, ok := l.(*inFile); !ok || f.pins != nil {
				continue
			}
			record, parts, err := r.Programs[i].add(i, l)
			if err != nil {
				return err
			}
			pins = append(pins, func() error { return pinLinks(parts, record, in) })
		}
		for _, left := range p.refused[min(len(p.refused), len(r.Programs[i].Refused)):] {
			r.Programs[i].addRefused(left, 0)
		}
	}
	if err := r.write(t.folder); err != nil {
		return err
	}
	for _, pin := range pins {
		if err := pin(); err != nil {
			return err
		}
	}
	return nil
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
	case *inFile:
		parts, err = linksOf(l.Closer)
		parts.record.Places = recordPlaces(l.points)
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
// belongs to the next process, which is given the handover (see PinName.Resume); if not, it
// is closed.
func (t *Tracer) Leave(handover func() []byte) error {
	if !t.Pinned() {
		return t.Close()
	}
	t.expirer.end()
	t.expirer = nil
	if h := handover(); h != nil {
		t.leaveBehind(h)
	}
	t.leaving = true
	return t.Close()
}

// leaveBehind keeps the handover with the pins.
func (t *Tracer) leaveBehind(handover []byte) {
	if err := writePin(filepath.Join(t.folder, handoverPin), handoverMap, handover); err != nil {
		t.opt.log().Warn("what only this exporter knows of a script is lost", "script", t.record.Name, "err", err)
		return
	}
	for _, x := range t.expirings {
		x.notes.store(noteUntaken, 0) // the handover has it
	}
}

// leave closes a link of which the kernel has a pin; nil is none.
func leave(l io.Closer) error {
	switch l := l.(type) {
	case nil, returnEvent:
		return nil
	case withoutRoom:
		return leave(l.Closer)
	case *inFile:
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
