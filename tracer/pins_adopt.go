package tracer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"ply-exporter/bpfgen/object"
)

// adopt returns the tracer of a script that the process before has left and that has not
// changed; nil when there is none, or none that can be used.
func (l *loader) adopt(obj *object.Object, as PinName, opt Options) *Tracer {
	left := opt.Pins.take(as, obj.PinHash)
	if left == nil {
		return nil
	}
	t, err := l.open(obj, left, as, opt)
	if err == nil {
		opt.log().Info("script taken over from the exporter before", "script", as.Name, "counting_since", t.created.UTC().Format(time.RFC3339))
		return t
	}
	opt.log().Warn("pinned script cannot be taken over: it starts afresh", "script", as.Name, "err", err)
	if err := removePinned(left.folder); err != nil {
		opt.log().Warn("pins are left behind", "folder", left.folder, "err", err)
	}
	return nil
}

// open opens what is pinned of a script.
func (l *loader) open(obj *object.Object, left *leftover, as PinName, opt Options) (_ *Tracer, err error) {
	r := left.record
	if err := l.room(r.files()); err != nil {
		return nil, Diagnose(err)
	}
	t := newTracer(obj, opt, &ebpf.Collection{Maps: map[string]*ebpf.Map{}, Programs: map[string]*ebpf.Program{}})
	t.countsMisses = countsMisses(l.types)
	t.adopted = true
	in := func(name string) string { return filepath.Join(left.folder, name) }
	defer func() {
		if err != nil {
			t.leaving = true
			_ = t.Close()
		}
	}()
	if err := t.openPinnedMaps(r, in); err != nil {
		return nil, err
	}
	t.created = time.Unix(0, int64(t.notes.load(noteCreated)))
	if err := t.openPinnedPrograms(r, in); err != nil {
		return nil, err
	}
	if t.pinnedSets, err = openPinnedSets(obj, r, in); err != nil {
		return nil, err
	}
	if err := t.openMaps(); err != nil {
		return nil, err
	}
	t.folder, t.record = left.folder, r
	paths, err := t.Follow(obj)
	if len(paths) > 0 {
		opt.log().Info("attached to files that have come while no exporter ran, too", "script", as.Name, "files", strings.Join(paths, ", "))
	}
	if err == nil {
		err = t.resume(as, in) // last: a script that starts afresh must not know of what was before
	}
	return t, err
}

// files is how many files it takes to open what is pinned, at most.
func (r *pinRecord) files() int {
	n := len(r.Maps) + 2*len(r.Programs) + len(r.Sets)
	for _, p := range r.Programs {
		for _, l := range p.Links {
			n += len(l.Pins)
		}
	}
	return n
}

// openPinnedMaps opens the maps, which must be those that the script would have.
func (t *Tracer) openPinnedMaps(r *pinRecord, in func(string) string) (err error) {
	if names := mapNames(t.obj); !slices.Equal(names, r.Maps) {
		return fmt.Errorf("it has the maps %s, and not %s", strings.Join(r.Maps, ", "), strings.Join(names, ", "))
	}
	for i, name := range r.Maps {
		m, err := ebpf.LoadPinnedMap(in(mapPin(i)), nil)
		if err != nil {
			return fmt.Errorf("map %s: %w", name, err)
		}
		t.coll.Maps[name] = m
		if err := sameLayout(t.obj.Spec.Maps[name], m); err != nil {
			return fmt.Errorf("map %s: %w", name, err)
		}
	}
	if t.notesIn, err = loadPinnedMap(in(notesPin)); err != nil {
		return err
	}
	if have, want := int(t.notesIn.ValueSize()), 8*noteWords(t.obj); have != want {
		return fmt.Errorf("it has %d bytes of notes, and not %d", have, want)
	}
	if t.notes, err = mapWords(t.notesIn); err != nil {
		return err
	}
	return nil
}

// resume passes on what the process before has left. It must be there where the maps are not
// all of it.
func (t *Tracer) resume(as PinName, in func(string) string) error {
	handover, err := readPin(in(handoverPin))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, x := range t.obj.Maps {
		if x.Expiry != nil && t.expiryNotes(x).load(noteUntaken) != 0 {
			handover = nil // a process has gone on with it, and was killed
		}
	}
	if as.Resume != nil && as.Resume(handover) {
		return nil
	}
	err = t.wholeWithout(as)
	if err != nil && handover != nil {
		err = fmt.Errorf("%w, and what it has left is of metrics with other names or labels", err)
	}
	return err
}

// useHandover removes the handover of the process before: what is read from now on, another one
// does not know. The caller holds the tracer's life.
func (t *Tracer) useHandover() {
	t.handedOver.Do(func() {
		if t.adopted && t.folder != "" {
			_ = os.Remove(filepath.Join(t.folder, handoverPin)) // there may be none
		}
	})
}

// wholeWithout finds fault with a script of which only its maps are left.
func (t *Tracer) wholeWithout(as PinName) error {
	switch {
	case as.Needs != "":
		return fmt.Errorf("%s, which only the process before knew", as.Needs)
	case t.notes.load(notePast) != 0:
		return errors.New("its series have counts of keys that have expired, or were deleted or evicted, which only the process before knew")
	}
	for _, m := range t.obj.Maps {
		if m.Expiry != nil && slices.Contains(as.Joined, m.Name) && t.expiryNotes(m).load(noteUntaken) != 0 {
			return fmt.Errorf("keys of %s have expired since the last scrape, and series may have had counts of them and of others", m.Name)
		}
	}
	return nil
}

// sameLayout compares a map with what it should be.
func sameLayout(want *ebpf.MapSpec, m *ebpf.Map) error {
	type layout struct {
		Type                   ebpf.MapType
		Key, Value, MaxEntries uint32
	}
	is, should := layout{m.Type(), m.KeySize(), m.ValueSize(), m.MaxEntries()}, layout{want.Type, want.KeySize, want.ValueSize, want.MaxEntries}
	if is != should {
		return fmt.Errorf("it is of another layout: %+v, and not %+v", is, should)
	}
	return nil
}

func (t *Tracer) openPinnedPrograms(r *pinRecord, in func(string) string) error {
	if err := t.takeNames(r.Probes); err != nil {
		return err
	}
	if len(r.Programs) != len(t.programs) {
		return fmt.Errorf("it has %d programs, and not %d", len(r.Programs), len(t.programs))
	}
	for i, p := range t.programs {
		if err := p.open(i, &r.Programs[i], in); err != nil {
			return fmt.Errorf("program %s: %w", p.Name, err)
		}
		t.coll.Programs[p.Name] = p.kernel
	}
	return nil
}

// open opens the i-th program and its links.
func (p *program) open(i int, r *programRecord, in func(string) string) (err error) {
	if err := r.sameModules(p.Points); err != nil {
		return err
	}
	if p.kernel, err = ebpf.LoadPinnedProgram(in(programPin(i)), nil); err != nil {
		return err
	}
	p.ran, p.before = r.Ran, r.Before
	if err := p.openLinks(r, in); err != nil {
		return err
	}
	for _, point := range r.Attached {
		if point < 0 || point >= len(p.Points) {
			return fmt.Errorf("no attach point %d", point)
		}
		p.attached = append(p.attached, p.Points[point])
	}
	p.noteModules(p.attached)
	for _, left := range r.Refused {
		if at := pointsOf(left.Place); at != nil {
			p.user.note(at)
			p.refused = append(p.refused, refused{at[0].Site, errors.New(left.Text)})
			continue
		}
		if left.Point < 0 || left.Point >= len(p.Points) {
			return fmt.Errorf("no attach point %d", left.Point)
		}
		p.refused = append(p.refused, refused{p.Points[left.Point].Site, errors.New(left.Text)})
	}
	return nil
}

// openLinks opens the links of a program.
func (p *program) openLinks(r *programRecord, in func(string) string) error {
	var there []linkRecord
	for _, record := range r.Links {
		if err := record.unwritten(); err != nil {
			return err
		}
		l, err := record.open(in)
		places := pointsOf(record.Places)
		switch {
		case err == nil:
			p.links, p.attached = append(p.links, l), append(p.attached, places...)
			p.user.note(places)
			there = append(there, record)
		case places != nil && errors.Is(err, fs.ErrNotExist): // it was not attached for good
			for _, at := range places {
				p.loseAt(at.Site.(object.UserFunction))
			}
		default:
			return err
		}
	}
	r.Links = there
	return nil
}

// loseAt notes where the program is not attached any more.
func (p *program) loseAt(f object.UserFunction) {
	if p.lost == nil {
		p.lost = map[place]bool{}
	}
	p.lost[place{f.File, f.Offset}] = true
}

func (l linkRecord) open(in func(string) string) (io.Closer, error) {
	var parts closers
	if group, event, _ := strings.Cut(l.Event, "/"); l.isEvent() {
		parts = append(parts, returnEvent{l.File, object.Tracepoint{Category: group, Event: event}})
	}
	for _, name := range l.Pins {
		one, err := link.LoadPinnedLink(in(name), nil)
		if err != nil {
			_ = leave(parts)
			return nil, err
		}
		parts = append(parts, one)
	}
	switch {
	case l.Reason != "":
		return withoutRoom{parts, l.Reason}, nil
	case l.Places != nil:
		return &inFile{parts, pointsOf(l.Places), l.Pins}, nil
	}
	return parts, nil
}

// takeNames takes over the names that probes have in the script's keys and prints. They
// must be those that it would have.
func (t *Tracer) takeNames(names []string) error {
	asks := object.AsksNothing
	for _, p := range t.programs {
		asks = max(asks, p.Asks)
	}
	own := t.obj.Probes
	for i := range min(len(names), len(own)) {
		if asks.Seen(names[i]) != asks.Seen(own[i]) {
			return fmt.Errorf("what was %s is %s now", names[i], own[i])
		}
	}
	if len(names) > len(own) {
		more := slices.Clone(names[len(own):])
		t.more.Store(&more)
	}
	return nil
}

// openPinnedSets opens the links of the programs that follow sets of cgroups, nil where
// there is none.
func openPinnedSets(obj *object.Object, r *pinRecord, in func(string) string) ([]io.Closer, error) {
	if len(r.Sets) != len(obj.Cgroups) {
		return nil, fmt.Errorf("it has %d sets of cgroups, and not %d", len(r.Sets), len(obj.Cgroups))
	}
	links := make([]io.Closer, len(r.Sets))
	for i, follows := range r.Sets {
		if !follows {
			continue
		}
		l, err := link.LoadPinnedLink(in(setPin(i)), nil)
		if err != nil {
			_ = leave(closers(links[:i]))
			return nil, err
		}
		links[i] = l
	}
	return links, nil
}

// goOn is begin for a script that was taken over.
func (t *Tracer) goOn() error {
	if err := t.startClock(); err != nil {
		return err
	}
	for _, c := range t.clearings {
		if c != nil {
			c.goOn()
		}
	}
	if err := t.startEvents(); err != nil {
		return err
	}
	t.watchClears()
	t.watchExpiry()
	if err := t.startCgroups(); err != nil {
		return err
	}
	t.began = true
	return nil
}
