package elf

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
)

// debugFolder is where distributions install what they strip from programs.
const debugFolder = "/usr/lib/debug"

// Debug returns the file with the symbols and types that were stripped from
// this one, nil if there is none. It is found by the build ID, or by the name
// and the checksum that the program has of it, so it belongs to this very build.
func (f *File) Debug() *File {
	if f.opened {
		return f.debug
	}
	f.opened = true
	id := f.BuildID()
	if len(id) < 2 {
		f.noDebug = "has no build ID by which its debug symbols could be found"
	} else {
		f.debugByID(id)
	}
	if f.debug == nil {
		f.debugByLink(id)
	}
	if f.debug == nil {
		f.debugInside()
	}
	return f.debug
}

// debugInside reads the symbols that distributions as Fedora leave in programs: a file
// of its own, compressed, without types.
func (f *File) debugInside() {
	s := f.section(".gnu_debugdata")
	if s == nil || s.size > maxUnpacked {
		return
	}
	packed, err := f.view.bytes(s.offset, s.size)
	if err != nil {
		return
	}
	content, err := unxz(packed)
	if err != nil {
		f.noDebug += ", and its own .gnu_debugdata " + err.Error()
		return
	}
	if d, err := read(f.name, bytes.NewReader(content), uint64(len(content))); err == nil {
		f.debug, f.inside = d.asDebug(), true
	}
}

func (f *File) debugByID(id []byte) {
	name := filepath.Join(debugFolder, ".build-id", hex.EncodeToString(id[:1]), hex.EncodeToString(id[1:])+".debug")
	for _, root := range f.roots() {
		d, err := Open(root + name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			f.noDebug = fmt.Sprintf("no package with its debug symbols (-dbg, -dbgsym, -debuginfo) is installed: there is no %s", root+name)
		case err != nil:
			f.noDebug = "its debug file is wrong: " + err.Error()
		case !bytes.Equal(d.BuildID(), id):
			f.noDebug = root + name + " belongs to another build"
			_ = d.Close()
		default:
			f.debug = d.asDebug()
			return
		}
	}
}

// asDebug makes a debug file of a file: it has none of its own.
func (f *File) asDebug() *File {
	f.opened = true
	return f
}

// debugByLink looks for the debug file that .gnu_debuglink names: beside the
// program, in .debug there, and below the folder of all debug files. The section
// has the name, zeros up to a multiple of 4 bytes, and a checksum (CRC-32).
func (f *File) debugByLink(id []byte) {
	s := f.section(".gnu_debuglink")
	if s == nil || s.size > 4096 {
		return
	}
	p, err := f.view.bytes(s.offset, s.size)
	if err != nil {
		return
	}
	name := cut(p)
	at := align4(uint64(len(name)) + 1)
	if name == "" || strings.Contains(name, "/") || at+4 > s.size {
		return
	}
	sum := little.Uint32(p[at:])
	folder := filepath.Dir(f.name)
	folders := []string{folder, filepath.Join(folder, ".debug"), filepath.Join(debugFolder, folder)}
	for _, root := range f.roots() {
		if inside, ok := strings.CutPrefix(folder, root); ok && root != "" {
			folders = append(folders, filepath.Join(root+debugFolder, inside), filepath.Join(debugFolder, inside))
		}
	}
	for _, folder := range folders {
		if d := openLinked(filepath.Join(folder, name), id, sum); d != nil {
			f.debug = d
			return
		}
	}
}

// openLinked opens a debug file if it is of this build, by the build ID if it has
// one, else by the checksum.
func openLinked(name string, id []byte, sum uint32) *File {
	d, err := Open(name)
	if err != nil {
		return nil
	}
	other := d.BuildID()
	if len(id) > 0 && len(other) > 0 && bytes.Equal(id, other) || (len(id) == 0 || len(other) == 0) && d.checksum() == sum {
		return d.asDebug()
	}
	_ = d.Close()
	return nil
}

// checksum is that of the whole file; 0 if it cannot be read.
func (f *File) checksum() uint32 {
	h := crc32.NewIEEE()
	if _, err := io.Copy(h, io.NewSectionReader(f.view.r, 0, int64(f.view.size))); err != nil {
		return 0
	}
	return h.Sum32()
}

// roots are the folders below which debug files are looked for: the container
// that the file was opened in, and the machine.
func (f *File) roots() []string {
	if parts := strings.SplitN(f.name, "/", 5); len(parts) == 5 && parts[1] == "proc" && parts[3] == "root" {
		return []string{strings.Join(parts[:4], "/"), ""}
	}
	return []string{""}
}
