package userspace

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ply-exporter/bpfgen/elf"
	"ply-exporter/bpfgen/object"
)

// An image is a program or a library with its symbols.
type image interface {
	BuildID() []byte
	At(offset uint64) (symbol string, in uint64, ok bool)
	Close() error
}

func openFile(path string) (image, error) { return elf.Open(path) }

// folders are where programs and libraries lie that no process may run now.
var folders = []string{
	"/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/lib/*-linux-gnu", "/usr/libexec",
	"/usr/local/bin", "/usr/local/sbin", "/usr/local/lib", "/opt/*/bin",
}

const (
	// maxFiles is how many files are known at most, and maxOpen how many of them are
	// kept with their symbols.
	maxFiles = 1 << 16
	maxOpen  = 16

	// folderRefresh is how long the folders are not looked at again.
	folderRefresh = time.Minute
)

// files are programs and libraries.
type files struct {
	open    func(path string) (image, error)
	folders []string
	at      time.Time // when these were looked at

	byKey map[fileKey]*file
	byID  map[object.BuildID]*file
	used  []*file // those that are open, the one that was used last at the end
}

// A file is one of them.
type file struct {
	name  string // without folders
	id    object.BuildID
	paths []string // to open it by, the first that leads to it
	image image    // nil: not open
}

func newFiles(open func(string) (image, error), folders []string) *files {
	return &files{open: open, folders: folders, byKey: map[fileKey]*file{}, byID: map[object.BuildID]*file{}}
}

// learn makes the file known that a process runs.
func (fs *files) learn(proc string, pid int, a area) {
	if a.file == (fileKey{}) {
		return
	}
	// By its own path where that is the same file for us, as the process sees it, and
	// as it has it mapped, though it be removed.
	process := fmt.Sprintf("%s/%d", proc, pid)
	paths := []string{a.path, process + "/root" + a.path, fmt.Sprintf("%s/map_files/%x-%x", process, a.start, a.end)}
	f := fs.byKey[a.file]
	if f == nil {
		if len(fs.byKey) >= maxFiles {
			fs.forget()
		}
		f = fs.read(base(a.path), paths)
		fs.byKey[a.file] = f
	}
	f.paths = paths // the process that it was known by may be gone
}

// read makes a file known by its build ID. What cannot be read has none.
func (fs *files) read(name string, paths []string) *file {
	f := &file{name: name, paths: paths}
	for _, path := range slices.Backward(paths) {
		opened, err := fs.open(path)
		if err != nil {
			continue
		}
		copy(f.id[:], opened.BuildID())
		_ = opened.Close()
		break
	}
	if f.id != (object.BuildID{}) {
		if known := fs.byID[f.id]; known != nil {
			return known
		}
		fs.byID[f.id] = f
	}
	return f
}

// forget closes all.
func (fs *files) forget() {
	for _, f := range fs.used {
		f.close()
	}
	fs.used = nil
	clear(fs.byKey)
	clear(fs.byID)
}

// look makes the files of the folders known.
func (fs *files) look() {
	if time.Since(fs.at) < folderRefresh {
		return
	}
	for _, pattern := range fs.folders {
		found, _ := filepath.Glob(pattern)
		for _, folder := range found {
			entries, _ := os.ReadDir(folder)
			for _, e := range entries {
				if e.Type().IsRegular() && len(fs.byID) < maxFiles {
					fs.read(e.Name(), []string{filepath.Join(folder, e.Name())})
				}
			}
		}
	}
	fs.at = time.Now()
}

// symbols opens a file, nil if that cannot be done.
func (fs *files) symbols(f *file) image {
	if i := slices.Index(fs.used, f); i >= 0 {
		fs.used = append(slices.Delete(fs.used, i, i+1), f)
		return f.image
	}
	for _, path := range f.paths {
		opened, err := fs.open(path)
		if err != nil {
			continue
		}
		var id object.BuildID
		copy(id[:], opened.BuildID())
		if id != f.id {
			_ = opened.Close()
			continue
		}
		if len(fs.used) == maxOpen {
			fs.used[0].close()
			fs.used = slices.Delete(fs.used, 0, 1)
		}
		f.image = opened
		fs.used = append(fs.used, f)
		return opened
	}
	return nil
}

func (f *file) close() {
	_ = f.image.Close()
	f.image = nil
}

// place is what is at an offset.
func (fs *files) place(f *file, offset uint64) Place {
	p := Place{File: f.name, Offset: offset}
	if symbols := fs.symbols(f); symbols != nil {
		if name, in, ok := symbols.At(offset); ok {
			p.Function, p.In = elf.Demangle(name), in
		}
	}
	return p
}
