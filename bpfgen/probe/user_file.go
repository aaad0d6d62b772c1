package probe

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"ply-exporter/bpfgen/elf"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// A userFile is a program or a library, by the first path that a script has for it.
type userFile struct {
	path  string
	info  os.FileInfo
	elf   *elf.File
	names map[uint64]string // of its instructions: the first that the script gives
}

// userFiles returns the files of a path or a name. Who asks closes their elf.
func (r *Resolver) userFiles(name string) ([]*userFile, error) {
	paths, err := elf.Find("", name)
	if err != nil {
		return nil, noFile(name, err)
	}
	var files []*userFile
	for _, path := range paths {
		f, err := r.userFile(path)
		if err != nil {
			closeAll(files)
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func closeAll(files []*userFile) {
	for _, f := range files {
		_ = f.elf.Close()
	}
}

func (r *Resolver) userFile(path string) (*userFile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	f := r.knownFile(info)
	if f == nil {
		f = &userFile{path: path, info: info, names: map[uint64]string{}}
		r.files = append(r.files, f)
	}
	if f.elf, err = elf.Open(f.path); err != nil {
		return nil, err
	}
	if machine := f.elf.Machine().String(); r.kernel.IsRunning() && machine != r.kernel.Arch().Name {
		_ = f.elf.Close()
		return nil, fmt.Errorf("%s is a program for %s, and this kernel one for %s", path, machine, r.kernel.Arch().Name)
	}
	return f, nil
}

// id tells the file from others; all are the same where the system has no numbers.
func (f *userFile) id() (id object.FileID) {
	if stat, ok := f.info.Sys().(*syscall.Stat_t); ok {
		id = object.FileID{Device: uint64(stat.Dev), Inode: stat.Ino} //nolint:unconvert // it is of 32 bits elsewhere
	}
	return id
}

// knownFile is the file that the script has named before by this path or another.
func (r *Resolver) knownFile(info os.FileInfo) *userFile {
	for _, f := range r.files {
		if os.SameFile(f.info, info) {
			return f
		}
	}
	return nil
}

// noFile says that there is no such file, and what there is in its folder.
func noFile(name string, err error) error {
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if !filepath.IsAbs(name) {
		return missingError(strings.TrimSuffix(err.Error(), ": "+os.ErrNotExist.Error()))
	}
	folder, file := filepath.Split(name)
	entries, _ := os.ReadDir(folder) // none where it is not there
	return missingf("there is no %s%s", name, plylang.DidYouMeanLike(file, func(yield func(string) bool) {
		for _, e := range entries {
			if !yield(e.Name()) {
				return
			}
		}
	}))
}

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
		name, _, _ := f.elf.At(t.offset)
		return []userFunction{{file: f, name: t.text(""), offset: t.offset, calls: f.conventionOf(name)}}, f.checkOffset(t.offset)
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

// find finds the functions of a name or a glob.
func (f *userFile) find(t userTarget) ([]elf.Function, error) {
	if !kernel.IsGlob(t.name) {
		found, err := f.elf.Lookup(t.name)
		if errors.Is(err, elf.ErrNoFunction) {
			return nil, missingf("%v%s", err, f.nearest(t.name))
		}
		return found, err
	}
	found, err := f.elf.Functions(kernel.Compile(t.name).Match)
	if err == nil && len(found) == 0 {
		err = missingf("no function in %s matches %s", f.path, t.name)
	}
	return found, err
}

// nearest suggests names of functions.
func (f *userFile) nearest(name string) string {
	return plylang.DidYouMeanLike(name, func(yield func(string) bool) {
		for fn, err := range f.elf.Each(func(string) bool { return true }) {
			if err != nil || !yield(elf.Demangle(fn.Name)) {
				return
			}
			for _, alias := range fn.Aliases {
				if !yield(elf.Demangle(alias)) {
					return
				}
			}
		}
	})
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
