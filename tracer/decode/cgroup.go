package decode

import (
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"ply-exporter/bpfgen/object"
)

// cgroups knows the paths of version 2 control groups by id, which is the
// inode number of their folder. An unknown id makes it look again, at most
// once in a while.
type cgroups struct {
	paths map[uint64]string
	read  time.Time
}

const (
	cgroupRoot    = "/sys/fs/cgroup"
	cgroupRefresh = 10 * time.Second
)

func (d *Decoder) cgroup(v object.Value) string {
	if d.cgroups == nil {
		d.cgroups = &cgroups{}
	}
	id := uint64(v.Int())
	path, ok := d.cgroups.paths[id]
	if !ok && time.Since(d.cgroups.read) > cgroupRefresh {
		d.cgroups.paths, d.cgroups.read = readCgroups(cgroupRoot), time.Now()
		path, ok = d.cgroups.paths[id]
	}
	if ok {
		return path
	}
	return Number(v)
}

// readCgroups walks the hierarchy; where version 1 is mounted too, version 2
// is in the folder unified.
func readCgroups(root string) map[uint64]string {
	paths := map[uint64]string{}
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil
		}
		var st syscall.Stat_t
		if syscall.Stat(path, &st) == nil {
			rel := strings.TrimPrefix(strings.TrimPrefix(path, root), "/unified")
			paths[st.Ino] = "/" + strings.TrimPrefix(rel, "/")
		}
		return nil
	})
	return paths
}
