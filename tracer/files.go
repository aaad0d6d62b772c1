package tracer

import (
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/object"
)

// Files that come later
//
// A probe stays in the file that it was attached to, though another file gets its path
// when a package is upgraded. Processes that run the old file are counted on, and the
// same programs are attached to the new one, too: the maps know of no difference. So
// it is where the script's name for a file means one more.

// A place is an instruction of a file.
type place struct {
	file   object.FileID
	offset uint64
}

// userPlaces are the places in programs and libraries at which a program is attached, or
// was refused.
type userPlaces struct {
	places map[place]bool
	files  map[object.FileID]bool
}

func (u *userPlaces) note(points []object.AttachPoint) {
	for _, at := range points {
		f, ok := at.Site.(object.UserFunction)
		if !ok {
			continue
		}
		if u.places == nil {
			u.places, u.files = map[place]bool{}, map[object.FileID]bool{}
		}
		u.places[place{f.File, f.Offset}], u.files[f.File] = true, true
	}
}

func (u *userPlaces) forget(id object.FileID) {
	delete(u.files, id)
	maps.DeleteFunc(u.places, func(p place, _ bool) bool { return p.file == id })
}

// An inFile is a link of a program to places in one file.
type inFile struct {
	io.Closer
	points []object.AttachPoint
	pins   []string // what its parts are called where they are pinned
}

// Files are the programs and libraries that the script is attached to.
func (t *Tracer) Files() []object.FileID {
	all := map[object.FileID]bool{}
	for _, p := range t.programs {
		p.mu.Lock()
		maps.Copy(all, p.user.files)
		p.mu.Unlock()
	}
	return slices.Collect(maps.Keys(all))
}

// ErrOtherCode says that a script would need other programs for the files that are there
// now.
var ErrOtherCode = errors.New("the new file has other functions, calls them otherwise, or the script shows its path")

// Follow attaches the script to files, too, that it is not attached to yet, and returns
// their paths. next is the same script as it is compiled now. Nothing is attached if one
// of them cannot be. It must not be called at the same time as Close.
func (t *Tracer) Follow(next *object.Object) (paths []string, err error) {
	lists, err := t.later(next)
	if err != nil {
		return nil, err
	}
	for _, list := range lists {
		t.watchWrites(list)
	}
	before := make([]attachedSoFar, len(t.programs))
	for i, p := range t.programs {
		before[i] = p.soFar()
	}
	for i, p := range t.programs {
		if err := p.attachTo(lists[i]); err != nil {
			for i, p := range t.programs {
				p.undo(before[i])
			}
			return nil, t.fail(p, err)
		}
		for _, at := range lists[i] {
			paths = append(paths, at.Site.(object.UserFunction).Path)
		}
	}
	var left []*program
	for i, p := range t.programs {
		left = append(left, &program{Program: p.Program, refused: p.refused[before[i].refused:]})
	}
	for _, err := range leftOut(left...) {
		t.opt.log().Warn("probe not attached", "reason", err)
	}
	for _, p := range t.programs {
		p.lost = nil
	}
	if len(paths) > 0 {
		t.pinLater()
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

// later returns what each program is to be attached to besides: what next has in files
// that are new.
func (t *Tracer) later(next *object.Object) (lists [][]object.AttachPoint, err error) {
	if len(next.Programs) != len(t.programs) {
		return nil, ErrOtherCode
	}
	names := newLaterNames(t)
	for i, p := range t.programs {
		q := next.Programs[i]
		if p.Name != q.Name || p.Attach != q.Attach ||
			!slices.EqualFunc(t.obj.Spec.Programs[p.Name].Instructions, next.Spec.Programs[q.Name].Instructions, sameInstruction) {
			return nil, ErrOtherCode
		}
		var list []object.AttachPoint
		for _, at := range q.Points {
			f, ok := at.Site.(object.UserFunction)
			switch {
			case !ok:
				continue
			case !p.user.files[f.File] || p.lost[place{f.File, f.Offset}]:
				if at.ID, err = names.id(p.Program, next.Probes[at.ID]); err != nil {
					return nil, err
				}
				list = append(list, at)
			case !p.user.places[place{f.File, f.Offset}]: // it was written anew, or the script would be attached otherwise
				return nil, ErrOtherCode
			}
		}
		lists = append(lists, list)
	}
	names.keep()
	return lists, nil
}

// laterNames are the names of probes that a script gets after its start, behind those
// that it has.
type laterNames struct {
	tracer *Tracer
	more   []string
}

func newLaterNames(t *Tracer) *laterNames { return &laterNames{t, slices.Clone(t.moreNames())} }

func (t *Tracer) moreNames() []string {
	if more := t.more.Load(); more != nil {
		return *more
	}
	return nil
}

// id is the id of a probe with this name in a program: that of one which looks the same
// to the program, if there is one. Of several attach points the kernel tells the program
// the id; a single one's is in its code.
func (n *laterNames) id(p *object.Program, name string) (uint64, error) {
	old := n.tracer.obj.Probes
	for _, at := range p.Points {
		if p.Asks.Seen(old[at.ID]) == p.Asks.Seen(name) {
			return at.ID, nil
		}
	}
	if len(p.Points) == 1 {
		return 0, ErrOtherCode
	}
	i := slices.Index(n.more, name)
	if i < 0 {
		i, n.more = len(n.more), append(n.more, name)
	}
	return uint64(len(old) + i), nil
}

func (n *laterNames) keep() { n.tracer.more.Store(&n.more) }

// LaterProbe is the name of a probe that the script was attached to after its start, by
// its id; "" if there is none.
func (t *Tracer) LaterProbe(id int64) string {
	more := t.moreNames()
	if i := id - int64(len(t.obj.Probes)); 0 <= i && i < int64(len(more)) {
		return more[i]
	}
	return ""
}

// attachTo attaches a program to points beside those that it has.
func (p *program) attachTo(points []object.AttachPoint) error {
	if len(points) == 0 {
		return nil
	}
	a := attachers[p.Attach]
	if a.many != nil {
		return p.attachLinks(a, points)
	}
	return p.attachEach(a, points)
}

// attachedSoFar is how far the lists of a program went at a time.
type attachedSoFar struct {
	links, attached, refused int
	user                     userPlaces
}

func (p *program) soFar() attachedSoFar {
	p.mu.Lock()
	defer p.mu.Unlock()
	return attachedSoFar{len(p.links), len(p.attached), len(p.refused), userPlaces{maps.Clone(p.user.places), maps.Clone(p.user.files)}}
}

// undo detaches a program where it was attached since.
func (p *program) undo(to attachedSoFar) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.links[to.links:] {
		_ = l.Close()
	}
	p.links, p.attached, p.refused, p.user = p.links[:to.links], p.attached[:to.attached], p.refused[:to.refused], to.user
}

func sameInstruction(a, b asm.Instruction) bool {
	return a.OpCode == b.OpCode && a.Dst == b.Dst && a.Src == b.Src && a.Offset == b.Offset && a.Constant == b.Constant &&
		a.Reference() == b.Reference() && a.Symbol() == b.Symbol()
}

// isThere finds fault with an instruction of a file that has been replaced: at its offset
// in the new one there may be anything, and a breakpoint would break it.
func isThere(f object.UserFunction) error {
	if f.File == (object.FileID{}) {
		return nil // it is not known
	}
	now, err := fileAt(f.Path)
	if err == nil && now != f.File {
		err = &diagnosis{f.Path + " was replaced a moment ago by another file", errReplaced}
	}
	return err
}

var errReplaced = errors.New("replaced file")
