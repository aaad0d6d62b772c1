package tracer

import (
	"errors"
	"slices"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/object"
)

// Files that are replaced
//
// A probe stays in the file that it was attached to, though another file gets its path
// when a package is upgraded. Processes that run the old file are counted on, and the
// same programs are attached to the new one, too: the maps know of no difference.

// noteFiles notes which files the script is attached to.
func (t *Tracer) noteFiles() {
	for _, p := range t.programs {
		for _, at := range p.Points {
			f, ok := at.Site.(object.UserFunction)
			if _, known := t.files[f.Path]; !ok || known {
				continue
			}
			if t.files == nil {
				t.files = map[string]object.FileID{}
			}
			t.files[f.Path] = f.File
		}
	}
}

// Replaced are the paths of programs and libraries at which there is another file than
// the one that the script is attached to.
func (t *Tracer) Replaced() (paths []string) {
	for path, file := range t.files {
		if now, err := fileAt(path); err == nil && now != file { // else it is not there yet
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// ErrOtherCode says that a script would need other programs for the files that are there
// now.
var ErrOtherCode = errors.New("the new file has other functions, or calls them otherwise")

// Follow attaches the script to those files, too, which are there now at the paths of
// others. next is the same script as it is compiled for them. Nothing is attached if one
// of them cannot be. It must not be called at the same time as Close.
func (t *Tracer) Follow(next *object.Object) error {
	paths := t.Replaced()
	if !sameCode(t.obj, next) {
		return ErrOtherCode
	}
	var done []func()
	for i, p := range t.programs {
		points := slices.DeleteFunc(slices.Clone(next.Programs[i].Points), func(at object.AttachPoint) bool {
			f, ok := at.Site.(object.UserFunction)
			return !ok || !slices.Contains(paths, f.Path)
		})
		undo, err := p.attachBeside(points)
		done = append(done, undo)
		if err != nil {
			for _, undo := range done {
				undo()
			}
			return t.fail(p, err)
		}
	}
	for _, p := range next.Programs {
		for _, at := range p.Points {
			if f, ok := at.Site.(object.UserFunction); ok {
				t.files[f.Path] = f.File
			}
		}
	}
	return nil
}

// attachBeside attaches a program to more points than its own. undo detaches it there.
func (p *program) attachBeside(points []object.AttachPoint) (undo func(), err error) {
	p.mu.Lock()
	links, attached, refused := len(p.links), len(p.attached), len(p.refused)
	p.mu.Unlock()
	if len(points) > 0 {
		a := attachers[p.Attach]
		attach := p.attachEach
		if a.many != nil {
			attach = p.attachLinks
		}
		err = attach(a, points)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.attached, p.refused = p.attached[:attached], p.refused[:refused] // its own are what is told of
	more := p.links[links:]
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, l := range more {
			_ = l.Close()
		}
		p.links = p.links[:links]
	}, err
}

// sameCode says whether the programs of two objects are the same but for where they are
// attached.
func sameCode(a, b *object.Object) bool {
	return slices.Equal(a.Probes, b.Probes) && slices.EqualFunc(a.Programs, b.Programs, func(p, q *object.Program) bool {
		return p.Name == q.Name && p.Attach == q.Attach &&
			slices.EqualFunc(p.Points, q.Points, func(x, y object.AttachPoint) bool { return x.ID == y.ID }) &&
			slices.EqualFunc(a.Spec.Programs[p.Name].Instructions, b.Spec.Programs[q.Name].Instructions, sameInstruction)
	})
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
