package decode

import (
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

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

// cgroupRoots are where the hierarchy of version 2 is: the second, where version
// 1 is used too. The inode numbers of version 1 are others.
var cgroupRoots = []string{cgroupRoot, cgroupRoot + "/unified"}

// readCgroups walks the hierarchy of version 2, the first root that is one.
func readCgroups(roots []string) map[uint64]string {
	for _, root := range roots {
		var st unix.Statfs_t
		if unix.Statfs(root, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return cgroupsIn(root)
		}
	}
	return nil
}

// cgroupsIn returns the paths below root by inode number.
func cgroupsIn(root string) map[uint64]string {
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
			paths[st.Ino] = "/" + strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
		}
		return nil
	})
	return paths
}
