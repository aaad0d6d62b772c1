package decode

import (
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"ply-exporter/bpfgen/object"
)

const cgroupRoot = "/sys/fs/cgroup"

// cgroup is the path of the version 2 control group with that ID, which is the
// inode number of its folder.
func (d *Decoder) cgroup(v object.Value) string {
	if path, ok := d.machine.cgroups.of(uint64(v.Int())); ok {
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
		if len(paths) >= maxNames {
			return fs.SkipAll
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
