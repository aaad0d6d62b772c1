package object

import "ply-exporter/plylang"

// The value of a control group
//
// IDs are inode numbers, of which each hierarchy has a counter of its own, so that
// groups of two hierarchies have the same one. The kernel never uses one again.
// A value has the ID in its lower 48 bits, which a hierarchy uses up after 2^48
// files and folders, and in the upper ones the number of the hierarchy as
// /proc/PID/cgroup has it: that of version 2 has 0.
const (
	HierarchyShift = 48

	// MaxHierarchy stands for all hierarchies that have no smaller number. Their
	// groups have no names.
	MaxHierarchy = 1<<(64-HierarchyShift) - 1
)

// CgroupKey is the value of a control group.
func CgroupKey(id uint64, hierarchy uint32) uint64 {
	return id | uint64(min(hierarchy, MaxHierarchy))<<HierarchyShift
}

// SplitCgroup is the reverse of CgroupKey.
func SplitCgroup(key uint64) (id uint64, hierarchy uint32) {
	return key & (1<<HierarchyShift - 1), uint32(key >> HierarchyShift)
}

// A CgroupSet is the set of the control groups that match a pattern, as they come
// and go. Its map is a hash of their values, which who runs the script keeps up to
// date; see Pattern.
type CgroupSet struct {
	*Pattern
	Map string // in Object.Spec.Maps
	Pos plylang.Pos

	// AllHierarchies says that groups of version 1 are in it too: the script asks
	// for others than that of the current task.
	AllHierarchies bool
}

// CgroupRoom is how many groups a set has room for.
const CgroupRoom = 1 << 13
