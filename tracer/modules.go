package tracer

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"ply-exporter/bpfgen/object"
)

// Modules that go
//
// A probe in a module ends when the module is removed, and is not there when it is loaded
// again. The kernel says nothing of that: the probe goes on to count nothing. Links of
// many functions, and those at fentry and fexit, keep a module from being removed.

// moduleFolder is a folder that is there while a module is loaded, and another one each
// time that it is.
func moduleFolder(name string) string { return filepath.Join("/sys/module", name) }

// moduleFolders are those of the modules that have these attach points, by their paths;
// nil where sysfs shows none.
func moduleFolders(points []object.AttachPoint) (folders map[string]object.FileID) {
	for _, at := range points {
		f, ok := at.Site.(object.Function)
		if !ok || f.Module == "" {
			continue
		}
		path := moduleFolder(f.Module)
		if _, known := folders[path]; known {
			continue
		}
		if folder, err := fileAt(path); err == nil {
			if folders == nil {
				folders = map[string]object.FileID{}
			}
			folders[path] = folder
		}
	}
	return folders
}

// noteModules remembers in which modules the program is attached.
func (p *program) noteModules(points []object.AttachPoint) {
	for path, folder := range moduleFolders(points) {
		if p.modules == nil {
			p.modules = map[string]object.FileID{}
		}
		p.modules[path] = folder
	}
}

// MustStartAgain says whether the script has to be started again to count where it did: a
// module that had probes of it was removed and has been loaded again, or a program was
// written to.
func (t *Tracer) MustStartAgain() bool {
	t.life.RLock()
	defer t.life.RUnlock()
	for _, p := range t.programs {
		p.mu.Lock()
		modules, written := p.modules, p.written
		p.mu.Unlock()
		if written != "" {
			return true
		}
		for path, was := range modules {
			if now, err := fileAt(path); err == nil && now != was {
				return true
			}
		}
	}
	return false
}

// lostModule says which module has gone since, with the probes that were in it.
func (p *program) lostModule() error {
	for path, was := range p.modules {
		now, err := fileAt(path)
		if now != was && (err == nil || errors.Is(err, fs.ErrNotExist)) {
			return fmt.Errorf("module %s was removed, and the probes in it with it", filepath.Base(path))
		}
	}
	return nil
}
