package userspace

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
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
	stamp stamp
	ways  ways
	image image // nil: not open
}

// Ways are where a file may be opened: by the path that a process has for it, as we see
// it and as the process does, where there must be the file of that number, and as the
// process has it mapped, though it be removed. A file that no process runs has one path
// and no number.
type ways struct {
	key   fileKey
	paths []string
	image string
}

func waysTo(proc string, pid int, a area) ways {
	process := fmt.Sprintf("%s/%d", proc, pid)
	return ways{a.file, []string{a.path, process + "/root" + a.path}, fmt.Sprintf("%s/map_files/%x-%x", process, a.start, a.end)}
}

// A stamp tells a file from another one that gets its number. It is zero where the file
// cannot be seen.
type stamp struct {
	size    int64
	changed time.Time
}

// open is a path that leads to the file now, "" if none does.
func (w ways) open() (path string, of stamp) {
	for _, path := range append(slices.Clip(w.paths), w.image) {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if w.key == (fileKey{}) || path == w.image || ok && stat.Ino == w.key.inode {
			return path, stamp{info.Size(), info.ModTime()}
		}
	}
	return "", stamp{}
}

func newFiles(open func(string) (image, error), folders []string) *files {
	return &files{open: open, folders: folders, byKey: map[fileKey]*file{}, byID: map[object.BuildID]*file{}}
}

// learn makes the file known that a process runs, nil where there is none.
func (fs *files) learn(proc string, pid int, a area) *file {
	if a.file == (fileKey{}) {
		return nil
	}
	w := waysTo(proc, pid, a)
	path, now := w.open()
	f := fs.byKey[a.file]
	switch {
	case f != nil && path == "" && f.name == base(a.path): // the process is gone
		return f
	case f != nil && path != "" && f.stamp == now:
		f.ways = w // the process that it was known by may be gone
		return f
	}
	if len(fs.byKey) >= maxFiles {
		fs.forget()
	}
	f = fs.read(base(a.path), w)
	fs.byKey[a.file] = f
	return f
}

// read makes a file known by its build ID. What cannot be read has none.
func (fs *files) read(name string, w ways) *file {
	f := &file{name: name, ways: w}
	path, now := w.open()
	f.stamp = now
	if opened, err := fs.open(path); err == nil {
		copy(f.id[:], opened.BuildID())
		_ = opened.Close()
	}
	if f.id != (object.BuildID{}) {
		if known := fs.byID[f.id]; known != nil { // a copy
			known.ways, known.stamp = f.ways, f.stamp
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
					fs.read(e.Name(), ways{paths: []string{filepath.Join(folder, e.Name())}})
				}
			}
		}
	}
	fs.at = time.Now()
}

// symbols opens a file, nil if that cannot be done, or it is another one by now.
func (fs *files) symbols(f *file) image {
	if i := slices.Index(fs.used, f); i >= 0 {
		fs.used = append(slices.Delete(fs.used, i, i+1), f)
		return f.image
	}
	path, now := f.ways.open()
	opened, err := fs.open(path)
	if err != nil {
		return nil
	}
	var id object.BuildID
	copy(id[:], opened.BuildID())
	if id != f.id || id == (object.BuildID{}) && now != f.stamp {
		_ = opened.Close()
		return nil
	}
	if len(fs.used) == maxOpen {
		fs.used[0].close()
		fs.used = slices.Delete(fs.used, 0, 1)
	}
	f.image = opened
	fs.used = append(fs.used, f)
	return opened
}

func (f *file) close() {
	_ = f.image.Close()
	f.image = nil
}

// place is what is at an offset. It is settled if the file could be asked.
func (fs *files) place(f *file, offset uint64) (p Place, settled bool) {
	p = Place{File: f.name, Offset: offset}
	symbols := fs.symbols(f)
	if symbols == nil {
		return p, false
	}
	if name, in, ok := symbols.At(offset); ok {
		p.Function, p.In = elf.Demangle(name), in
	}
	return p, true
}
