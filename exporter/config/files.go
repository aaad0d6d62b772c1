package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"syscall"

	"ply-exporter/plylang"
)

// A Loader reads configuration files and the scripts that they name.
type Loader struct {
	// Verify refuses an opened file, which has that name, and says why. When it is
	// nil, none is refused.
	Verify func(name string, file *os.File) error

	seen *record // may be nil
}

// A record is of the files that were read.
type record struct {
	hash  hash.Hash // of their names and contents
	files []*plylang.Source
}

// Load is Loader.Load that refuses no file.
func Load(paths []string) (*Config, error) { return Loader{}.Load(paths) }

// Load reads configuration files; of a folder, every *.yaml and *.yml in it whose name
// does not begin with a dot, sorted. Its error is a plylang.ErrorList with
// everything that is wrong, or says which file cannot be read.
func (l Loader) Load(paths []string) (*Config, error) {
	files, err := expandFolders(paths)
	if err != nil {
		return nil, err
	}
	cfg := &Config{}
	var errs plylang.ErrorList
	l.seen = &record{hash: sha256.New()}
	for _, file := range files {
		data, err := l.read(file)
		if err != nil {
			return nil, err
		}
		scripts, found := l.readConfig(file, data)
		cfg.Scripts = append(cfg.Scripts, scripts...)
		errs = append(errs, found...)
	}
	cfg.Hash, cfg.Files = l.seen.sum(), l.seen.files
	return cfg.finish(errs)
}

func expandFolders(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		if path == "" || path == "-" {
			return nil, errors.New("a configuration has no name: give a file or a folder, or /dev/stdin")
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("configuration %s", cause(err))
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		inside, err := filesIn(path)
		if err != nil {
			return nil, err
		}
		files = append(files, inside...)
	}
	return files, nil
}

// endings are those of the files that are read of a folder.
var endings = []string{".yaml", ".yml"}

func filesIn(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("configuration %s", cause(err))
	}
	var files []string
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		if strings.HasPrefix(e.Name(), ".") || !slices.Contains(endings, filepath.Ext(e.Name())) {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			continue
		}
		files = append(files, path)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("configuration %s: the folder has no *.yaml or *.yml file", folder)
	}
	sort.Strings(files)
	return files, nil
}

// read reads a file, but not one that is too large to be meant. A pipe that
// nobody writes to is empty.
func (l Loader) read(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, errors.New(cause(err))
	}
	defer f.Close()
	if l.Verify != nil {
		if err := l.Verify(name, f); err != nil {
			return nil, err
		}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, errors.New(cause(err))
	}
	if len(data) > maxFileSize {
		return nil, fmt.Errorf("%s is larger than %d bytes: too large for what people write", name, maxFileSize)
	}
	l.note(name, data)
	return bytes.TrimPrefix(data, []byte(byteOrderMark)), nil
}

// note adds a file to what was seen.
func (l Loader) note(name string, data []byte) {
	if l.seen != nil {
		fmt.Fprintf(l.seen.hash, "%q %d\n", name, len(data))
		l.seen.hash.Write(data)
	}
}

// keep notes what was read as text. What is read of it points into the same text
// anyway, so that to keep it costs nothing.
func (l Loader) keep(src *plylang.Source) {
	if l.seen != nil && !slices.ContainsFunc(l.seen.files, func(other *plylang.Source) bool { return other.File == src.File }) {
		l.seen.files = append(l.seen.files, src)
	}
}

func (r *record) sum() string { return hex.EncodeToString(r.hash.Sum(nil))[:16] }

// byteOrderMark is what some editors put at the beginning of a file.
const byteOrderMark = "\ufeff"

// cause says in words why a file cannot be used: "x.yaml: no such file".
func cause(err error) string {
	var p *fs.PathError
	if !errors.As(err, &p) {
		return err.Error()
	}
	return p.Path + ": " + p.Err.Error()
}
