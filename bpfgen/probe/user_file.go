package probe

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"ply-exporter/bpfgen/elf"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// A userFile is a program or a library, by the first path that a script has for it.
type userFile struct {
	path  string
	id    object.FileID
	elf   *elf.File
	names map[uint64]string // of its instructions: the first that the script gives

	wanted *string // what would have its debug information; nil: not looked for yet
}

// userFiles returns the files of a path or a name, each once: many paths may lead to one, as
// those through the processes of a container. Of several that a glob matches, those that are
// no programs are left out. Who asks closes their elf.
func (r *Resolver) userFiles(name string) ([]*userFile, error) {
	paths, err := elf.Find(r.root, name)
	if err != nil {
		return nil, noFile(name, err)
	}
	var files []*userFile
	var others error
	seen := map[object.FileID]bool{}
	for _, path := range paths {
		id, err := fileID(path)
		if errors.Is(err, os.ErrNotExist) && len(paths) > 1 {
			continue // its process has just ended
		}
		if err == nil && seen[id] {
			continue
		}
		var f *userFile
		if err == nil {
			f, err = r.userFile(path, id)
		}
		if errors.As(err, new(elf.NoProgram)) && len(paths) > 1 {
			others = cmp.Or(others, err)
			continue
		}
		if err != nil {
			closeAll(files)
			return nil, missingError(err.Error())
		}
		files, seen[id] = append(files, f), true
	}
	switch {
	case len(files) == 0 && others != nil:
		return nil, missingError(others.Error())
	case len(files) == 0:
		return nil, laterf("there is no %s any more", name)
	}
	return files, nil
}

func closeAll(files []*userFile) {
	for _, f := range files {
		_ = f.elf.Close()
	}
}

func (r *Resolver) userFile(path string, id object.FileID) (_ *userFile, err error) {
	f := r.knownFile(id)
	if f == nil {
		f = &userFile{path: path, id: id, names: map[uint64]string{}}
		r.files = append(r.files, f)
	}
	before := f.elf
	if f.elf, err = elf.Open(f.path); err != nil {
		return nil, err
	}
	f.elf.TypesOf(before)
	if machine := f.elf.Machine().String(); r.kernel.IsRunning() && machine != r.kernel.Arch().Name {
		_ = f.elf.Close()
		return nil, elf.NoProgram(fmt.Sprintf("%s is a program for %s, and this kernel one for %s", path, machine, r.kernel.Arch().Name))
	}
	return f, nil
}

// knownFile is the file that the script has named before by this path or another.
func (r *Resolver) knownFile(id object.FileID) *userFile {
	for _, f := range r.files {
		if f.id == id {
			return f
		}
	}
	return nil
}

func fileID(path string) (id object.FileID, err error) {
	id.Device, id.Inode, err = elf.Identity(path)
	return id, err
}

// noFile says that there is no such file, and what there is in its folder.
func noFile(name string, err error) error {
	var at *os.PathError
	var unseen elf.Unseen
	switch isAt := errors.As(err, &at); {
	case errors.As(err, &unseen):
		return laterf("there is no %s as far as one may look: %v%s", name, err, whoMayLook(at))
	case !errors.Is(err, os.ErrNotExist) && isAt:
		return missingError(err.Error() + whoMayLook(at))
	case !errors.Is(err, os.ErrNotExist):
		return err // in what the name is like
	case !filepath.IsAbs(name):
		return laterError(strings.TrimSuffix(err.Error(), ": "+os.ErrNotExist.Error()))
	}
	folder, file := filepath.Split(name)
	entries, _ := os.ReadDir(folder) // none where it is not there
	return laterf("there is no %s%s", name, plylang.DidYouMeanLike(file, func(yield func(string) bool) {
		for _, e := range entries {
			if !yield(e.Name()) {
				return
			}
		}
	}))
}

// whoMayLook says what is missing to see the files of a process.
func whoMayLook(err *os.PathError) string {
	if err != nil && errors.Is(err, os.ErrPermission) && ofProcess.MatchString(err.Path) {
		return ": the files of other users' processes are for root or CAP_SYS_PTRACE"
	}
	return ""
}

var ofProcess = regexp.MustCompile(`^/proc/[0-9]+/(root|cwd|exe)\b`)

// nameOf is how the script names an instruction: in the way that it named it first.
func (f *userFile) nameOf(fn userFunction) string {
	if f.names[fn.offset] == "" {
		f.names[fn.offset] = fn.name
	}
	return f.names[fn.offset]
}

// functions finds the instructions that a target names, in their order in the file.
func (f *userFile) functions(t userTarget) ([]userFunction, error) {
	if t.name == "" {
		name, in, _ := f.elf.At(t.offset)
		u := userFunction{file: f, name: t.text(""), offset: t.offset, calls: f.conventionOf(name)}
		if in == 0 {
			u.address, _ = f.elf.AddressOf(t.offset)
		}
		return []userFunction{u}, f.checkOffset(t.offset)
	}
	found, err := f.find(t)
	if err != nil {
		return nil, err
	}
	var out []userFunction
	seen := map[uint64]bool{}
	for _, fn := range found {
		if t.offset != 0 {
			if err := f.inside(fn, t.offset); err != nil {
				return nil, err
			}
		}
		u := userFunction{file: f, name: t.text(fn.Name), offset: fn.Offset + t.offset, calls: f.conventionOf(fn.Name)}
		if t.offset == 0 {
			u.address = fn.Address
		}
		if u.calls != cConvention && t.offset == 0 {
			if u.offset, err = f.behindStackCheck(u.offset); err != nil {
				return nil, err
			}
		}
		if !seen[u.offset] {
			seen[u.offset] = true
			out = append(out, u)
		}
	}
	return out, nil
}

// find finds the functions of a name or a glob. What looks like a class in a glob may be
// part of a name, as in main.index[go.shape.int] of Go and in operator[] of C++.
func (f *userFile) find(t userTarget) ([]elf.Function, error) {
	isGlob := kernel.IsGlob(t.name)
	if !isGlob || strings.Contains(t.name, "[") {
		found, err := f.elf.Lookup(t.name)
		switch {
		case isGlob && errors.Is(err, elf.ErrNoFunction):
		case errors.Is(err, elf.ErrNoFunction):
			return nil, missingf("%v%s", err, f.nearest(t.name))
		default:
			return found, err
		}
	}
	found, err := f.elf.Functions(kernel.Compile(t.name).Match)
	if err == nil && len(found) == 0 {
		err = missingError(f.noneMatches(t.name))
	}
	return found, err
}

// noneMatches says that no function of the file does, and why there may be none at all.
func (f *userFile) noneMatches(glob string) string {
	return fmt.Sprintf("no function in %s matches %s%s", f.path, glob, f.elf.Bare())
}

// nearest suggests names of functions.
func (f *userFile) nearest(name string) string {
	return plylang.DidYouMeanLike(name, func(yield func(string) bool) {
		for fn, err := range f.elf.Each(func(string) bool { return true }) {
			if err != nil || !yield(writable(fn.Name)) {
				return
			}
			for _, alias := range fn.Aliases {
				if !yield(writable(alias)) {
					return
				}
			}
		}
	})
}

// writable is the name of a function as a script can write it. In place of what would end
// the specification there is the "?" of a glob, and then of what a glob takes for a class or a group.
func writable(name string) string {
	name = elf.Demangle(name)
	if !strings.ContainsAny(name, " ,{") {
		return name
	}
	return strings.NewReplacer(" ", "?", ",", "?", "{", "?", "[", "?", "(", "?").Replace(name)
}

// inside finds fault with an offset at which no instruction of a function begins.
func (f *userFile) inside(fn elf.Function, offset uint64) error {
	if fn.Size != 0 && offset >= fn.Size {
		return missingf("%s+%d is behind the end of %s, which has %d bytes", fn.Name, offset, fn.Name, fn.Size)
	}
	return f.checkOffset(fn.Offset + offset)
}

// checkOffset finds fault with an offset in the file at which no instruction begins.
// The kernel takes it, and never runs a program there. In a Go program without symbols
// nobody knows.
func (f *userFile) checkOffset(offset uint64) error {
	if _, _, known := f.elf.At(offset); !known && f.elf.IsGo() {
		return nil
	}
	if err := f.elf.InstructionAt(offset); err != nil {
		return missingError(err.Error())
	}
	return nil
}

// read reads bytes at an offset in the file, fewer at its end.
func (f *userFile) read(offset uint64, size int) ([]byte, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	code := make([]byte, size)
	n, err := file.ReadAt(code, int64(offset))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return code[:n], err
}
