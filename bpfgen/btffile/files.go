package btffile

import (
	"bytes"
	"io/fs"
	"path"
	"sort"
	"strings"
	"time"

	"ply-exporter/plylang"
)

// files are those of the kernel, as under /.
type files struct {
	texts map[string][]byte
	types *types
}

// eventsFolder has a folder for each category of tracepoints, and in it one for each
// tracepoint.
const eventsFolder = "sys/kernel/tracing/events"

// Open opens a file or a folder.
func (f *files) Open(name string) (fs.File, error) {
	if text, ok := f.texts[name]; ok {
		return &file{Reader: bytes.NewReader(text), name: path.Base(name), size: len(text)}, nil
	}
	folder := &file{Reader: bytes.NewReader(nil), name: path.Base(name), folder: true, err: errNoFormats}
	rest, ok := strings.CutPrefix(name, eventsFolder)
	switch parts := strings.Split(rest, "/"); {
	case name == ".", ok && len(parts) == 1:
		return folder, nil
	case ok && len(parts) == 2:
		if parts[1] == callsCategory {
			folder.entries, folder.err = f.calls(), nil
		}
		return folder, nil
	case ok && len(parts) == 3 && f.types.hasEvent(parts[1], parts[2]):
		return folder, nil
	case ok && len(parts) == 4 && parts[3] == "format" && f.types.hasEvent(parts[1], parts[2]):
		text, err := f.types.format(parts[1], parts[2])
		return &file{Reader: bytes.NewReader(text), name: "format", size: len(text)}, err
	}
	return nil, &fs.PathError{Op: "open", Path: "/" + name, Err: fs.ErrNotExist}
}

func (f *files) calls() (entries []fs.DirEntry) {
	for event := range f.types.calls {
		entries = append(entries, fs.FileInfoToDirEntry(&file{name: event, folder: true}))
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	return entries
}

// noFormats says what cannot be told from types alone. It is plylang.ErrMissing.
type noFormats string

func (e noFormats) Error() string      { return string(e) }
func (noFormats) Is(target error) bool { return target == plylang.ErrMissing }

const errNoFormats noFormats = "this needs the formats of tracepoints, which a BTF file does not have: " +
	"check against what \"ply-exporter record\" writes on such a machine"

// A file is one of files, and what is known of it.
type file struct {
	*bytes.Reader
	name    string
	size    int
	folder  bool
	entries []fs.DirEntry
	err     error // why the entries of a folder are not known
}

func (f *file) Stat() (fs.FileInfo, error) { return f, nil }
func (f *file) Close() error               { return nil }
func (f *file) Name() string               { return f.name }
func (f *file) Size() int64                { return int64(f.size) }
func (f *file) IsDir() bool                { return f.folder }
func (f *file) ModTime() time.Time         { return time.Time{} }
func (f *file) Sys() any                   { return nil }

func (f *file) Mode() fs.FileMode {
	if f.folder {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

// ReadDir returns all entries at once.
func (f *file) ReadDir(int) ([]fs.DirEntry, error) { return f.entries, f.err }
