package decode

import (
	"fmt"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
)

// cgroup is the path of a control group in its hierarchy. One without a name that
// is known is shown by its ID, and the number of its hierarchy unless that is the
// one of version 2.
func (d *Decoder) cgroup(v object.Value) string {
	key := uint64(v.Int())
	if path, ok := d.machine.groupsOf(key).of(key); ok {
		return path
	}
	id, hierarchy := object.SplitCgroup(key)
	if hierarchy != 0 {
		return fmt.Sprintf("cgroup:%d/%d", hierarchy, id)
	}
	return fmt.Sprintf("cgroup:%d", id)
}

// groupsOf are the names of the groups of that version.
func (m *Machine) groupsOf(key uint64) *names[uint64] {
	if _, hierarchy := object.SplitCgroup(key); hierarchy != 0 {
		return &m.oldCgroups
	}
	return &m.cgroups
}

// readCgroups walks the hierarchy of version 2, or those of version 1, and returns
// the paths of their groups by the values that programs have of them.
func readCgroups(k *kernel.Kernel, old bool) map[uint64]string {
	paths := map[uint64]string{}
	hierarchies := k.Hierarchies()
	if !old && (len(hierarchies) == 0 || hierarchies[0].Number != 0) {
		paths[kernel.RootCgroup] = "/" // it is mounted nowhere, so that paths are those from the root of all
	}
	for _, h := range hierarchies {
		if (h.Number != 0) != old {
			continue
		}
		k.Cgroups(h, func(g kernel.Cgroup) bool {
			paths[object.CgroupKey(g.ID, h.Number)] = g.Path
			return len(paths) < maxNames
		})
	}
	return paths
}
