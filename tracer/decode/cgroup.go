package decode

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"ply-exporter/bpfgen/object"
)

// cgroup is the path of a control group in its hierarchy. One without a name that
// is known is shown by its ID, and the number of its hierarchy unless that is the
// one of version 2.
func (d *Decoder) cgroup(v object.Value) string {
	key := uint64(v.Int())
	id, hierarchy := object.SplitCgroup(key)
	group := &d.machine.cgroups
	if hierarchy != 0 {
		group = &d.machine.oldCgroups
	}
	path, ok := group.of(key)
	switch {
	case ok:
		return path
	case hierarchy != 0:
		return fmt.Sprintf("cgroup:%d/%d", hierarchy, id)
	}
	return fmt.Sprintf("cgroup:%d", id)
}

// readCgroups walks the hierarchy of version 2, or those of version 1, and returns
// the paths of their groups by the values that programs have of them.
func readCgroups(old bool) map[uint64]string {
	paths := map[uint64]string{}
	for _, h := range hierarchies() {
		if (h.number != 0) == old {
			h.walk(paths)
		}
	}
	return paths
}

// walk adds the paths of the groups of a hierarchy. The ID of a group is the inode
// number of its folder.
func (h *hierarchy) walk(paths map[uint64]string) {
	_ = filepath.WalkDir(h.folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil
		}
		if len(paths) >= maxNames {
			return fs.SkipAll
		}
		var st syscall.Stat_t
		if syscall.Stat(path, &st) == nil {
			paths[object.CgroupKey(st.Ino, h.number)] = h.path(strings.TrimPrefix(path, h.folder))
		}
		return nil
	})
}

// path is where a folder of the hierarchy is, by its path below the mount point.
func (h *hierarchy) path(below string) string {
	if path := h.root + below; path != "" {
		return path
	}
	return "/"
}
