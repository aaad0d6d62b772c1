package decode

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A hierarchy is a mounted tree of control groups.
type hierarchy struct {
	number uint32 // as in /proc/PID/cgroup; 0 is version 2
	folder string // where it is mounted
	root   string // path of the group that is mounted there; "" is the root of all
	whole  bool   // the mount has all groups of the machine
}

// rootInode is the inode number of the root of every hierarchy.
const rootInode = 1

// hierarchies are those that are mounted, each where most of it can be seen. A
// container with a cgroup namespace of its own has a mount that begins at its own
// group; it may have the machine's elsewhere.
func hierarchies() []*hierarchy {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	numbers, _ := os.ReadFile("/proc/self/cgroup") // without it no hierarchy of version 1 has a number
	all := parseHierarchies(string(mounts), string(numbers))
	for _, h := range all {
		var st syscall.Stat_t
		if syscall.Stat(h.folder, &st) == nil && st.Ino == rootInode {
			h.root, h.whole = "", true
		}
	}
	return widest(all)
}

// widest keeps one mount of each hierarchy. The root of one that begins above our
// namespace is known only where it is the root of all.
func widest(all []*hierarchy) []*hierarchy {
	all = slices.DeleteFunc(all, func(h *hierarchy) bool { return !h.whole && strings.HasPrefix(h.root, "/..") })
	slices.SortStableFunc(all, func(a, b *hierarchy) int {
		switch {
		case a.number != b.number:
			return cmp.Compare(a.number, b.number)
		case a.whole == b.whole:
			return 0
		case a.whole:
			return -1
		}
		return 1
	})
	return slices.CompactFunc(all, func(a, b *hierarchy) bool { return a.number == b.number })
}

// parseHierarchies reads /proc/PID/mountinfo and /proc/PID/cgroup.
func parseHierarchies(mounts, numbers string) (all []*hierarchy) {
	byController := parseNumbers(numbers)
	for line := range strings.Lines(mounts) {
		before, after, ok := strings.Cut(line, " - ")
		where, what := strings.Fields(before), strings.Fields(after)
		if !ok || len(where) < 5 || len(what) < 3 {
			continue
		}
		h := &hierarchy{folder: unescapeMount(where[4]), root: strings.TrimSuffix(unescapeMount(where[3]), "/")}
		switch what[0] {
		case "cgroup2":
			all = append(all, h)
		case "cgroup":
			for option := range strings.SplitSeq(what[2], ",") {
				h.number = max(h.number, byController[option])
			}
			if h.number != 0 {
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
