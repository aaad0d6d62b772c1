package elf

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// debugFolder is where distributions install what they strip from programs.
const debugFolder = "/usr/lib/debug"

// Debug returns the file with the symbols and types that were stripped from
// this one, nil if there is none. It is found by the build ID, so it belongs to
// this very build.
func (f *File) Debug() *File {
	if f.opened {
		return f.debug
	}
	f.opened = true
	id := f.BuildID()
	if len(id) < 2 {
		f.noDebug = "has no build ID by which its debug symbols could be found"
		return nil
	}
	name := filepath.Join(debugFolder, ".build-id", hex.EncodeToString(id[:1]), hex.EncodeToString(id[1:])+".debug")
	for _, root := range f.roots() {
		if f.debug = f.openDebug(root+name, id); f.debug != nil {
			return f.debug
		}
	}
	return nil
}

// roots are the folders below which debug files are looked for: the container
// that the file was opened in, and the machine.
func (f *File) roots() []string {
	if parts := strings.SplitN(f.name, "/", 5); len(parts) == 5 && parts[1] == "proc" && parts[3] == "root" {
		return []string{strings.Join(parts[:4], "/"), ""}
	}
	return []string{""}
}

// openDebug opens a debug file if it belongs to the build.
func (f *File) openDebug(name string, id []byte) *File {
	d, err := Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.noDebug = fmt.Sprintf("no package with its debug symbols (-dbg, -dbgsym, -debuginfo) is installed: there is no %s", name)
		return nil
	case err != nil:
		f.noDebug = err.Error()
		return nil
	case !bytes.Equal(d.BuildID(), id):
		f.noDebug = name + " belongs to another build"
		_ = d.Close()
		return nil
	}
	d.opened = true // it has no debug file of its own
	return d
}
