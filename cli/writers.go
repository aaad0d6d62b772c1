package cli

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Who may change a file
//
// Whoever writes a script runs programs in the kernel, and reads what every
// process does. So root reads none that others may change: the file, the folders
// that it is in up to the root folder, and those of the symbolic links on the way
// belong to root, or to the user who called sudo, and not everybody may write to
// them. In a folder with the sticky bit, such as /tmp, nobody replaces what
// belongs to others. On a read-only mount only the owner counts: the folders of
// Kubernetes' ConfigMaps have the mode 0777, in a folder that is root's alone.
//
// What a path in /proc ends at was opened by whoever started us: a pipe, /dev/stdin.
// A named pipe is examined like a file; a device has nobody's text.

// verifyWriters returns what refuses a file that others than root may change;
// nil refuses none.
func verifyWriters(allow bool) func(name string, file *os.File) error {
	if allow || os.Geteuid() != 0 {
		return nil
	}
	w := writers{trusted: []uint32{0}}
	if uid, err := strconv.ParseUint(os.Getenv("SUDO_UID"), 10, 32); err == nil {
		w.trusted = append(w.trusted, uint32(uid))
	}
	return w.verify
}

// writers are the users who may write scripts.
type writers struct{ trusted []uint32 }

func (w writers) verify(name string, file *os.File) error {
	opened, err := file.Stat()
	if err != nil || opened.Mode().Type()&^fs.ModeNamedPipe != 0 {
		return err
	}
	start := name
	if !path.IsAbs(name) {
		folder, err := os.Getwd()
		if err != nil {
			return err
		}
		start = folder + "/" + name
	}
	found, err := w.walk(name, strings.Split(start, "/"))
	if err == nil && found != nil && !os.SameFile(found, opened) {
		err = fmt.Errorf("%s was replaced while it was read: try again", name)
	}
	return err
}

// maxLinks is how many symbolic links the kernel follows in a path.
const maxLinks = 40

// walk follows a path from the root folder on and returns the file at its end;
// nothing when it is a file that is open in a process. The folders of a process,
// such as /proc/self/cwd, are followed.
func (w writers) walk(name string, parts []string) (info fs.FileInfo, err error) {
	at := "/"
	if info, err = w.look(name, at); err != nil {
		return nil, err
	}
	for links := 0; len(parts) > 0; {
		next := path.Join(at, parts[0]) // also of ".", ".." and ""
		parts = parts[1:]
		if strings.HasPrefix(next, "/proc/") && len(parts) == 0 {
			return nil, nil
		}
		if info, err = w.look(name, next); err != nil {
			return nil, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		target, err := os.Readlink(next)
		if err != nil {
			return nil, err
		}
		if links++; links > maxLinks {
			return nil, fmt.Errorf("%s: too many symbolic links", name)
		}
		if path.IsAbs(target) {
			at = "/"
		}
		parts = append(strings.Split(target, "/"), parts...)
	}
	return info, nil
}

// look refuses one file, folder or link on the way to what the user named.
func (w writers) look(name, at string) (fs.FileInfo, error) {
	info, err := os.Lstat(at)
	if err != nil {
		return nil, err
	}
	owner, mode := info.Sys().(*syscall.Stat_t).Uid, info.Mode()
	switch sticky := mode.IsDir() && mode&fs.ModeSticky != 0; {
	case !slices.Contains(w.trusted, owner):
		return nil, fmt.Errorf("%s: user %d owns %s and could run programs in the kernel with it: run \"chown root %s\", or use --allow-writable",
			name, owner, called(mode, at), at)
	case mode&fs.ModeSymlink == 0 && mode.Perm()&0o002 != 0 && !sticky && !readOnly(at):
		return nil, fmt.Errorf("%s: all users may write to %s and could run programs in the kernel with it: run \"chmod o-w %s\", or use --allow-writable",
			name, called(mode, at), at)
	}
	return info, nil
}

// readOnly says whether a file is on a mount that is read-only.
func readOnly(at string) bool {
	var mount unix.Statfs_t
	return unix.Statfs(at, &mount) == nil && mount.Flags&unix.ST_RDONLY != 0
}

func called(mode fs.FileMode, at string) string {
	switch {
	case mode.IsDir():
		return "the folder " + at
	case mode&fs.ModeSymlink != 0:
		return "the link " + at
	}
	return "the file"
}
