package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// File types in a cpio mode.
const (
	modeDir    = 0o040000
	modeDevice = 0o020000
	modeFile   = 0o100000
)

// cpio writes an archive in the kernel's initramfs format ("newc"; the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst). Parents come by
// themselves and a name is written once. The first error stays in err, and
// nothing is written after it.
type cpio struct {
	w       io.Writer
	written int
	inode   int
	names   map[string]bool
	err     error
}

func newCPIO(w io.Writer) *cpio {
	return &cpio{w: w, names: map[string]bool{"": true, ".": true}}
}

func (c *cpio) dir(name string) { c.entry(name, modeDir|0o755, 0, 0, nil) }
func (c *cpio) file(name string, perm fs.FileMode, b []byte) {
	c.entry(name, modeFile|uint32(perm), 0, 0, b)
}
func (c *cpio) device(name string, perm fs.FileMode, ma, mi int) {
	c.entry(name, modeDevice|uint32(perm), ma, mi, nil)
}

// entry writes one member unless its name was there before.
func (c *cpio) entry(name string, mode uint32, major, minor int, content []byte) {
	name = strings.TrimPrefix(path.Clean(name), "/")
	if c.names[name] {
		return
	}
	c.dir(path.Dir(name))
	c.names[name] = true
	c.inode++
	c.write(fmt.Appendf(nil, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		c.inode, mode, 0, 0, 1, 0, len(content), 0, 0, major, minor, len(name)+1, 0, name))
	c.write(content)
}

// write appends b and pads the archive to a multiple of 4.
func (c *cpio) write(b []byte) {
	pad := -(c.written + len(b)) & 3
	for _, part := range [][]byte{b, make([]byte, pad)} {
		if c.err == nil {
			_, c.err = c.w.Write(part)
		}
	}
	c.written += len(b) + pad
}

// add copies a file or a folder of this machine, following symbolic links.
func (c *cpio) add(here, inside string) {
	err := filepath.WalkDir(here, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(here, name)
		if err != nil {
			return err
		}
		target := path.Join(inside, filepath.ToSlash(rel))
		if info.IsDir() {
			c.dir(target)
			return nil
		}
		content, err := os.ReadFile(name)
		c.file(target, info.Mode().Perm(), content)
		return err
	})
	if c.err == nil {
		c.err = err
	}
}

// close ends the archive.
func (c *cpio) close() error {
	c.names["TRAILER!!!"] = false
	c.entry("TRAILER!!!", 0, 0, 0, nil)
	return c.err
}
