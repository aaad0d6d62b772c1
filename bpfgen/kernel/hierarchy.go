package kernel

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A Hierarchy is a mounted tree of control groups.
type Hierarchy struct {
	Number uint32 // as in /proc/PID/cgroup; 0 is version 2
	Whole  bool   // all groups of the machine can be seen

	folder string // where it is mounted
	root   string // path of the group that is mounted there; "" is the root of all
}

// RootCgroup is the ID of the root of every hierarchy.
const RootCgroup = 1

// Hierarchies are those that are mounted, each where most of it can be seen. A
// container with a cgroup namespace of its own has a mount that begins at its own
// group; it may have the machine's elsewhere.
func (k *Kernel) Hierarchies() []*Hierarchy {
	mounts, err := fs.ReadFile(k.files, "proc/self/mountinfo")
	if err != nil {
		return nil
	}
	numbers, _ := fs.ReadFile(k.files, "proc/self/cgroup") // without it no hierarchy of version 1 has a number
	all := parseHierarchies(string(mounts), string(numbers))
	for _, h := range all {
		if st := k.stat(named(h.folder)); st != nil && st.Ino == RootCgroup {
			h.root, h.Whole = "", true
		}
	}
	return widest(all)
}

// named is an absolute path as a fs.FS names it.
func named(file string) string { return cmp.Or(strings.TrimPrefix(path.Clean(file), "/"), ".") }

// widest keeps one mount of each hierarchy. The root of one that begins above our
// namespace is known only where it is the root of all.
func widest(all []*Hierarchy) []*Hierarchy {
	all = slices.DeleteFunc(all, func(h *Hierarchy) bool { return !h.Whole && strings.HasPrefix(h.root, "/..") })
	slices.SortStableFunc(all, func(a, b *Hierarchy) int {
		switch {
		case a.Number != b.Number:
			return cmp.Compare(a.Number, b.Number)
		case a.Whole == b.Whole:
			return 0
		case a.Whole:
			return -1
		}
		return 1
	})
	return slices.CompactFunc(all, func(a, b *Hierarchy) bool { return a.Number == b.Number })
}

// A Cgroup is a control group of a hierarchy.
type Cgroup struct {
	ID   uint64 // the inode number of its folder
	Path string // from the root of its hierarchy
}

// Cgroups calls visit for each group of a hierarchy, parents first, until it
// returns false.
func (k *Kernel) Cgroups(h *Hierarchy, visit func(Cgroup) bool) {
	top := named(h.folder)
	_ = fs.WalkDir(k.files, top, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil
		}
		st := k.stat(name)
		if st == nil {
			return nil
		}
		if !visit(Cgroup{ID: st.Ino, Path: cmp.Or(h.root+strings.TrimPrefix(name, top), "/")}) {
			return fs.SkipAll
		}
		if st.Nlink == linksOfLeaf {
			return fs.SkipDir // and do not read the names of its files
		}
		return nil
	})
}

// linksOfLeaf is how many links a folder has that has no other in it; each one that
// it has is a link more.
const linksOfLeaf = 2

// stat is nil where the file is not there, or not of a running kernel.
func (k *Kernel) stat(name string) *syscall.Stat_t {
	info, err := fs.Stat(k.files, name)
	if err != nil {
		return nil
	}
	st, _ := info.Sys().(*syscall.Stat_t)
	return st
}

// parseHierarchies reads /proc/PID/mountinfo and /proc/PID/cgroup.
func parseHierarchies(mounts, numbers string) (all []*Hierarchy) {
	byController := parseNumbers(numbers)
	for line := range strings.Lines(mounts) {
		before, after, ok := strings.Cut(line, " - ")
		where, what := strings.Fields(before), strings.Fields(after)
		if !ok || len(where) < 5 || len(what) < 3 {
			continue
		}
		h := &Hierarchy{folder: unescapeMount(where[4]), root: strings.TrimSuffix(unescapeMount(where[3]), "/")}
		switch what[0] {
		case "cgroup2":
			all = append(all, h)
		case "cgroup":
			for option := range strings.SplitSeq(what[2], ",") {
				h.Number = max(h.Number, byController[option])
			}
			if h.Number != 0 {
				all = append(all, h)
			}
		}
	}
	return all
}

// parseNumbers reads the numbers of the hierarchies of version 1 by their
// controllers and names. A line is "4:cpu,cpuacct:/path".
func parseNumbers(text string) map[string]uint32 {
	numbers := map[string]uint32{}
	for line := range strings.Lines(text) {
		f := strings.SplitN(line, ":", 3)
		n, err := strconv.ParseUint(f[0], 10, 32)
		if err != nil || len(f) < 3 || f[1] == "" {
			continue
		}
		for controller := range strings.SplitSeq(f[1], ",") {
			numbers[controller] = uint32(n)
		}
	}
	return numbers
}

// mountEscapes are the characters that mountinfo does not show as they are.
var mountEscapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func unescapeMount(path string) string { return mountEscapes.Replace(path) }
