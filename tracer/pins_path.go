package tracer

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// fault is an error of the user's with the path.
func (p *Pins) fault(format string, args ...any) error {
	return fmt.Errorf("pin path %s "+format, append([]any{p.path}, args...)...)
}

// unusable explains an error of the file system.
func (p *Pins) unusable(err error) error {
	hint := ""
	switch {
	case errors.Is(err, unix.EROFS):
		hint = ": it is mounted read-only here: a unit needs ReadWritePaths=, a container a volume that is not readOnly"
	case errors.Is(err, os.ErrPermission):
		hint = ": it must belong to the user who runs the exporter"
	}
	return fmt.Errorf("pin path %s cannot be used: %w%s", p.path, err, hint)
}

// lockPins looks whether a folder may be used, and locks it.
func lockPins(path string, owner int, log *slog.Logger) (*Pins, error) {
	if log == nil {
		log = slog.Default()
	}
	p := &Pins{path: filepath.Clean(path), log: log}
	if err := p.makeFolder(); err != nil {
		return nil, err
	}
	var err error
	if p.lock, err = os.Open(p.path); err != nil {
		return nil, p.unusable(err)
	}
	err = p.mayUse(owner)
	if err == nil {
		err = p.flock()
	}
	if err != nil {
		_ = p.lock.Close()
		return nil, err
	}
	return p, nil
}

func (p *Pins) makeFolder() error {
	parent := filepath.Dir(p.path)
	if strings.Contains(filepath.Base(p.path), ".") && onBPF(parent) {
		return p.fault("cannot be made: names in a BPF file system have no dots")
	}
	if _, err := os.Lstat(p.path); !errors.Is(err, os.ErrNotExist) {
		return p.leadsNowhere() // any other error comes again
	}
	if _, err := os.Stat(parent); errors.Is(err, os.ErrNotExist) {
		return p.fault("cannot be made: there is no folder %s", parent)
	}
	if !onBPF(parent) {
		return p.notBPF()
	}
	if err := os.Mkdir(p.path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return p.unusable(err)
	}
	return nil
}

// leadsNowhere refuses a link whose target is not there.
func (p *Pins) leadsNowhere() error {
	if _, err := os.Stat(p.path); !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	target, _ := os.Readlink(p.path)
	return p.fault("is a link to %s, which does not exist: make that folder, or give the path of another", target)
}

func (p *Pins) notBPF() error {
	return p.fault("is not in a BPF file system: give a folder of one, such as /sys/fs/bpf/ply-exporter; where there is none, run \"mount -t bpf bpf /sys/fs/bpf\"")
}

// onBPF says whether a folder is in a BPF file system.
func onBPF(path string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(path, &fs) == nil && uint32(fs.Type) == unix.BPF_FS_MAGIC
}

// mayUse refuses a folder that somebody else could change: the maps in it would be taken
// for ours.
func (p *Pins) mayUse(owner int) error {
	if !onBPF(p.path) {
		return p.notBPF()
	}
	if owner == anybody {
		return nil
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(p.lock.Fd()), &stat); err != nil {
		return p.unusable(err)
	}
	if int(stat.Uid) != owner {
		return p.fault("belongs to user %d, and the exporter runs as user %d: give a folder of its own, or change its owner", stat.Uid, owner)
	}
	const othersWrite = 0o022
	if stat.Mode&othersWrite != 0 {
		return p.fault("can be written to by other users: run \"chmod 700 %s\", or give a folder of its own", p.path)
	}
	return nil
}

// flock locks the folder while this process lives.
func (p *Pins) flock() error {
	err := unix.Flock(int(p.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return p.fault("is used by another exporter%s: end it first, or give each exporter a path of its own", p.holder())
	}
	if err != nil {
		return p.unusable(err)
	}
	return nil
}

// holder names the process that has the lock, if it can be seen from here:
//
//	1: FLOCK  ADVISORY  WRITE 24144 00:27:1228248 0 EOF
func (p *Pins) holder() string {
	var stat unix.Stat_t
	locks, err := os.ReadFile("/proc/locks")
	if err != nil || unix.Fstat(int(p.lock.Fd()), &stat) != nil {
		return ""
	}
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(stat.Dev), unix.Minor(stat.Dev), stat.Ino)
	for line := range strings.Lines(string(locks)) {
		if f := strings.Fields(line); len(f) > 5 && f[1] == "FLOCK" && f[5] == file && f[4] != "0" {
			return " (process " + f[4] + ")"
		}
	}
	return ""
}
