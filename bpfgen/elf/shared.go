package elf

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Debug information that programs share
//
// Distributions move what several programs of a package have in common to a file of its own
// (dwz -m), in which the others refer to entries and to strings. They say its name, and by
// which ID it is the one that they were made with.

// A sharedLink says which file that is.
type sharedLink struct {
	name string
	id   []byte
	err  error // why what is in the file is not known; nil if nobody has asked, too
}

// maxLink bounds the section that has the link: a name and an ID.
const maxLink = 8192

// sharedLink reads the link of a file, nil if there is none: .gnu_debugaltlink has the name
// and the ID, and .debug_sup of DWARF 5 a version and a byte before it, and the length of the
// ID.
func (f *File) sharedLink() *sharedLink {
	l := sharedLink{}
	if s := f.section(".gnu_debugaltlink"); s != nil && s.size <= maxLink {
		if p, err := f.view.bytes(s.offset, s.size); err == nil {
			l.name = cut(p)
			l.id = p[min(len(l.name)+1, len(p)):]
		}
	} else if s := f.section(".debug_sup"); s != nil && s.size <= maxLink {
		if p, err := f.view.bytes(s.offset, s.size); err == nil {
			l.name, l.id = supplement(p)
		}
	}
	if l.name == "" {
		return nil
	}
	return &l
}

// supplement reads a section .debug_sup. In the shared file it has no name.
func supplement(p []byte) (name string, id []byte) {
	const head = 3
	if len(p) <= head {
		return "", nil
	}
	name = cut(p[head:])
	x := expression{code: p[min(head+len(name)+1, len(p)):]}
	n := x.number(false)
	if n < 0 || n > int64(len(x.code)) {
		return "", nil
	}
	return name, x.code[:n]
}

// candidates are the paths where the file may be: by its name, which may be relative to the
// file from that has the link, by its ID, and where distributions install such files.
func (l *sharedLink) candidates(from string, roots []string) []string {
	paths := pathsOf(l.name, from, roots)
	below := filepath.Base(l.name)
	if _, rest, ok := strings.Cut(l.name, ".dwz/"); ok {
		below = rest
	}
	for _, root := range roots {
		if id := hex.EncodeToString(l.id); len(id) > 2 {
			paths = append(paths, filepath.Join(root+debugFolder, ".build-id", id[:2], id[2:]+".debug"))
		}
		paths = append(paths, filepath.Join(root+debugFolder, ".dwz", below))
	}
	return paths
}

// pathsOf are the paths that a file may mean by a name: one that is relative is so to the
// folder of the file, or of what that is a link to.
func pathsOf(name, from string, roots []string) (paths []string) {
	folders := roots
	if !filepath.IsAbs(name) {
		folders = []string{filepath.Dir(from)}
		if real, err := filepath.EvalSymlinks(from); err == nil && filepath.Dir(real) != folders[0] {
			folders = append(folders, filepath.Dir(real))
		}
	}
	for _, folder := range folders {
		paths = append(paths, filepath.Join(folder, "/", name))
	}
	return paths
}

// share reads the file that the debug information shares with others, once.
func (t *types) share() *types {
	if t.link == nil || t.shared != nil || t.link.err != nil {
		return t.shared
	}
	t.link.err = os.ErrNotExist
	for _, path := range t.link.candidates(t.names[0], t.roots) {
		shared, err := t.readShared(path)
		if err == nil {
			t.shared, t.link.err = shared, nil
			t.size += shared.size
			break
		}
		if !errors.Is(err, os.ErrNotExist) {
			t.link.err = err // there is one, which is not the one
		}
	}
	return t.shared
}

// errOtherID says that a file is of another build.
var errOtherID = errors.New("it belongs to another build")

// readShared reads the file if it has the ID that the link says. It is no program: nothing of
// it is ever mapped.
func (t *types) readShared(path string) (*types, error) {
	e, file, err := t.open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if !bytes.Equal(sharedID(e), t.link.id) || len(t.link.id) == 0 {
		return nil, errOtherID
	}
	shared, err := readTypes(e, maxTypes-min(t.size, maxTypes))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return shared, nil
}

// An openPart opens a file that has a part of the debug information of another. The caller
// closes it.
type openPart func(path string) (*elf.File, io.Closer, error)

// openFile is openPart for files. A pipe would otherwise wait for somebody who writes.
func openFile(path string) (*elf.File, io.Closer, error) {
	r, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := r.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = noProgram("%s is not a regular file (%s)", path, info.Mode().Type())
	}
	if err == nil {
		var e *elf.File
		if e, err = elf.NewFile(r); err == nil {
			return e, r, nil
		}
	}
	_ = r.Close()
	return nil, nil, err
}

// sharedID is the build ID of a file, or what DWARF 5 has instead.
func sharedID(e *elf.File) []byte {
	read := func(name string) []byte {
		s := e.Section(name)
		if s == nil || s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_COMPRESSED != 0 || s.Size > maxLink {
			return nil
		}
		p := make([]byte, s.Size)
		if _, err := s.ReadAt(p, 0); err != nil && !errors.Is(err, io.EOF) {
			return nil
		}
		return p
	}
	if p := read(".debug_sup"); len(p) > 2 && p[2] == 1 { // 0 is in the files that have a link
		_, id := supplement(p)
		return id
	}
	var id []byte
	_ = notesIn(read(".note.gnu.build-id"), func(n note) bool {
		if n.name == "GNU" && n.kind == noteBuildID {
			id = n.desc
		}
		return id == nil
	})
	return id
}

// sharedPlace is a place in the shared file.
func (t *types) sharedPlace(at uint64) place {
	shared := t.share()
	if shared == nil || at >= uint64(len(shared.info)) {
		return place{}
	}
	return shared.place(dwarf.Offset(at))
}

// sharedText is a string in the shared file.
func (t *types) sharedText(at uint64) string {
	shared := t.share()
	if shared == nil || at >= uint64(len(shared.str)) {
		return ""
	}
	return cut(shared.str[at:min(at+longest, uint64(len(shared.str)))])
}

// SharedTypes says why a part of the debug information that was asked for is not known: it is
// in a file that programs share, and which could not be read. It is nil otherwise.
func (f *File) SharedTypes() error {
	if f.dwarf == nil || f.dwarf.link == nil || f.dwarf.link.err == nil {
		return nil
	}
	return f.dwarf.link
}

// Error says which file is missing or wrong.
func (l *sharedLink) Error() string {
	text := fmt.Sprintf("in %s, a file that programs of a package share (dwz)", l.name)
	switch {
	case errors.Is(l.err, os.ErrNotExist):
		return text + " and which is not there: install all of the package with debug symbols"
	case errors.Is(l.err, errOtherID):
		return text + " and which is of another build: install the debug symbols of the same version"
	}
	return fmt.Sprintf("%s and which cannot be read: %v", text, l.err)
}
