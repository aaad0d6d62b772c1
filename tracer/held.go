package tracer

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
)

// Files that are gone
//
// A link to a place in a file keeps the file: when an upgrade has deleted it, its blocks stay
// on the disk, and its file system cannot be unmounted. Once it has no name and no process maps it, nobody can
// execute it any more, and the links end, with no event lost.
//
// The kernel does not tell that. How many names a file has is asked of a descriptor that was
// opened by its path when it was attached to. Whether a process maps it is seen by a program
// that goes through the memory of all of them (held_mappings.go): one that begins meanwhile
// comes behind the one from which it has the file.

// held are the files that scripts of this process are attached to.
var held = heldFiles{files: map[object.FileID]*heldFile{}}

type heldFiles struct {
	mu    sync.Mutex
	files map[object.FileID]*heldFile
}

// A heldFile is a file in which scripts have probes.
type heldFile struct {
	*os.File          // opened as a path only; nil: it had no name and was mapped when it was taken over
	mapped   *mapping // as the kernel called it then
	users    map[*Tracer]bool
}

// add holds a file for a script.
func (h *heldFiles) add(t *Tracer, f object.UserFunction) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := h.files[f.File]
	if one == nil {
		file, err := os.OpenFile(f.Path, unix.O_PATH, 0)
		if err != nil {
			return // it is kept until the script ends
		}
		one = &heldFile{File: file, users: map[*Tracer]bool{}}
		if id, err := fileAt(one.path()); err != nil || id != f.File {
			_ = file.Close()
			return
		}
		h.files[f.File] = one
	}
	one.users[t] = true
}

// remove ends that a file is held for a script.
func (h *heldFiles) remove(t *Tracer, id object.FileID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := h.files[id]
	if one == nil {
		return
	}
	if delete(one.users, t); len(one.users) == 0 {
		if one.File != nil {
			_ = one.Close()
		}
		delete(h.files, id)
	}
}

// removeAll ends that files are held for a script.
func (h *heldFiles) removeAll(t *Tracer) {
	h.mu.Lock()
	ids := slices.Collect(maps.Keys(h.files))
	h.mu.Unlock()
	for _, id := range ids {
		h.remove(t, id)
	}
}

// unused says whether a file is known to have no name, and to be mapped by no process.
func (h *heldFiles) unused(id object.FileID, k *kernel.Kernel) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := h.files[id]
	if one == nil {
		return false, nil
	}
	if one.mapped != nil {
		return nobodyMaps(k, func([]mapping) *mapping { return one.mapped })
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(one.Fd()), &stat); err != nil || stat.Nlink > 0 {
		return false, err
	}
	return one.unmapped(k)
}

func (f *heldFile) path() string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// unmapped says whether no process but this one maps the file, which has no name. This one
// maps it meanwhile: so it is known which it is.
func (f *heldFile) unmapped(k *kernel.Kernel) (bool, error) {
	file, err := os.Open(f.path())
	if err != nil {
		return false, err
	}
	defer file.Close()
	memory, err := unix.Mmap(int(file.Fd()), 0, 1, unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return false, err
	}
	defer func() { _ = unix.Munmap(memory) }()
	start := uint64(uintptr(unsafe.Pointer(&memory[0])))
	return nobodyMaps(k, func(all []mapping) *mapping {
		i := slices.IndexFunc(all, func(m mapping) bool { return m.Start == start && m.PID == uint32(os.Getpid()) })
		if i < 0 {
			return nil
		}
		return &all[i]
	})
}

// nobodyMaps says whether the file of a mapping, which is found among all, is in no other.
func nobodyMaps(k *kernel.Kernel, find func(all []mapping) *mapping) (bool, error) {
	for range 2 { // processes in the order of their numbers, which begin again some time
		all, err := namelessMappings(k)
		if err != nil {
			return false, err
		}
		one := find(all)
		if one == nil {
			return false, errors.New("this process is not among those that the kernel lists")
		}
		if slices.ContainsFunc(all, func(m mapping) bool { return m.sameFile(*one) && m != *one }) {
			return false, nil
		}
	}
	return true, nil
}

// addOld holds the files of a script that was taken over which have no name any more and are
// mapped. Of others nothing is known, and they are kept.
func (h *heldFiles) addOld(t *Tracer) error {
	var all []mapping
	for _, id := range t.Files() {
		if t.watched[id] {
			continue
		}
		if all == nil {
			var err error
			if all, err = namelessMappings(t.opt.Kernel); err != nil {
				return err
			}
		}
		i := slices.IndexFunc(all, func(m mapping) bool {
			return m.Inode == id.Inode && m.Device == unix.Major(id.Device)<<20|unix.Minor(id.Device)
		})
		if i >= 0 {
			h.note(t, id, &all[i])
		}
	}
	return nil
}

func (h *heldFiles) note(t *Tracer, id object.FileID, m *mapping) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.files[id] == nil {
		// No process: the one that maps it may not be the last.
		h.files[id] = &heldFile{mapped: &mapping{Inode: m.Inode, Device: m.Device}, users: map[*Tracer]bool{}}
	}
	h.files[id].users[t] = true
}

// LetGo detaches the script from files that nobody can execute any more, and returns their
// paths. It must not be called at the same time as Follow or Close.
func (t *Tracer) LetGo() (paths []string) {
	if t.adopted && !t.soughtOld {
		t.soughtOld = true
		noteUnknown(t, held.addOld(t))
	}
	for _, id := range t.Files() {
		unused, err := held.unused(id, t.opt.Kernel)
		noteUnknown(t, err)
		if !unused {
			continue
		}
		links, path := t.takeFile(id)
		if err := links.Close(); err != nil {
			t.opt.log().Warn("a deleted file stays open", "file", path, "err", err)
		}
		held.remove(t, id)
		writes.removeFile(t, id)
		delete(t.watched, id)
		paths = append(paths, path)
	}
	return paths
}

var noteKept sync.Once

func noteUnknown(t *Tracer, err error) {
	if err != nil {
		noteKept.Do(func() {
			t.opt.log().Warn("files that were deleted are kept while scripts run that have probes in them: whether processes map them is not known", "err", err)
		})
	}
}

// takeFile forgets a file, and returns the links to it, of which the pins are gone.
func (t *Tracer) takeFile(id object.FileID) (links closers, path string) {
	t.life.RLock()
	defer t.life.RUnlock()
	for i, p := range t.programs {
		taken, name := p.takeFile(id)
		if path == "" {
			path = name
		}
		for _, l := range taken {
			links = append(links, l)
			if t.folder != "" {
				t.record.Programs[i].unpin(t.folder, l.pins)
			}
		}
	}
	if t.folder != "" {
		if err := t.record.write(t.folder); err != nil {
			t.opt.log().Warn("a file that the script is not attached to any more stays in its record", "script", t.record.Name, "err", err)
		}
	}
	return links, path
}

func (p *program) takeFile(id object.FileID) (taken []*inFile, path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	in := func(site object.Site) bool {
		f, ok := site.(object.UserFunction)
		if ok && f.File == id {
			path = f.Path
		}
		return ok && f.File == id
	}
	var links []io.Closer
	for _, l := range p.links {
		if one, ok := l.(*inFile); ok && in(one.points[0].Site) {
			p.missed += linkMissed(one)
			taken = append(taken, one)
			continue
		}
		links = append(links, l)
	}
	p.links = links
	p.attached = slices.DeleteFunc(p.attached, func(at object.AttachPoint) bool { return in(at.Site) })
	p.user.forget(id)
	return taken, path
}
