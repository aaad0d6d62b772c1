package kernel

import (
	"io/fs"
	"strings"
)

// OnlyOldCgroups says that this machine sorts its tasks into control groups of
// version 1 only: controllers have hierarchies of their own, and that of version
// 2, which every kernel has, has no group but its root. It is false where the
// files do not tell.
func (k *Kernel) OnlyOldCgroups() bool {
	controllers, err := fs.ReadFile(k.files, "proc/cgroups")
	if err != nil || !oldHierarchies(string(controllers)) {
		return false
	}
	entries, _ := fs.ReadDir(k.files, "sys/fs/cgroup/unified") // none where it is not mounted
	for _, entry := range entries {
		if entry.IsDir() {
			return false
		}
	}
	return true
}

// oldHierarchies says whether a controller is in a hierarchy other than 0, which
// is that of version 2. Its lines are "name hierarchy groups enabled".
func oldHierarchies(controllers string) bool {
	for line := range strings.Lines(controllers) {
		if f := strings.Fields(line); len(f) == 4 && f[0][0] != '#' && f[1] != "0" {
			return true
		}
	}
	return false
}
