package kernel

import (
	"os"
	"syscall"
	"testing"
)

// The groups of a hierarchy have the inode numbers of their folders.
func TestCgroups(t *testing.T) {
	machine := t.TempDir()
	const mount = "/sys/fs/my cgroups"
	if err := os.MkdirAll(machine+mount+"/a/b", 0o755); err != nil {
		t.Fatal(err)
	}
	k := &Kernel{files: os.DirFS(machine)}
	for _, row := range []struct {
		root string
		want []string
	}{
		{"", []string{"/", "/a", "/a/b"}},
		{"/docker/1", []string{"/docker/1", "/docker/1/a", "/docker/1/a/b"}},
	} {
		got := map[string]uint64{}
		k.Cgroups(&Hierarchy{folder: mount, root: row.root}, func(g Cgroup) bool { got[g.Path] = g.ID; return true })
		for i, folder := range []string{"/", "/a", "/a/b"} {
			var st syscall.Stat_t
			if err := syscall.Stat(machine+mount+folder, &st); err != nil || got[row.want[i]] != st.Ino {
				t.Errorf("%s: %v, want %d of %s, %v", row.root, got, st.Ino, row.want[i], err)
			}
		}
		if len(got) != 3 {
			t.Errorf("%s: %d paths", row.root, len(got))
		}
	}
}

func TestParseHierarchies(t *testing.T) {
	const (
		v1 = `32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
40 31 0:37 /docker/1 /sys/fs/cgroup/my\040systemd rw,relatime shared:4 - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
42 31 0:39 / /sys/fs/cgroup/old rw,relatime - cgroup cgroup rw,gone
43 31 0:40 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
`
		numbers = "9:name=systemd:/\n1:cpu,cpuacct:/docker/1\n0::/\n"
		private = `30 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup rw
31 23 0:28 /../../.. /host/sys/fs/cgroup ro - cgroup2 cgroup rw
`
	)
	for _, row := range []struct {
		name, mounts, numbers string
		want                  []Hierarchy
	}{
		{"version 1", v1, numbers, []Hierarchy{
			{1, false, "/sys/fs/cgroup/cpu,cpuacct", ""}, {9, false, "/sys/fs/cgroup/my systemd", "/docker/1"}, {0, false, "/sys/fs/cgroup/unified", ""},
		}},
		{"a namespace", private, "0::/\n", []Hierarchy{{0, false, "/sys/fs/cgroup", ""}, {0, false, "/host/sys/fs/cgroup", "/../../.."}}},
		{"nothing", "", "", nil},
		{"no numbers", v1, "", []Hierarchy{{0, false, "/sys/fs/cgroup/unified", ""}}},
	} {
		got := parseHierarchies(row.mounts, row.numbers)
		if len(got) != len(row.want) {
			t.Errorf("%s: %d hierarchies, want %d", row.name, len(got), len(row.want))
			continue
		}
		for i, h := range got {
			if *h != row.want[i] {
				t.Errorf("%s: %+v, want %+v", row.name, *h, row.want[i])
			}
		}
	}
}

// A mount with all groups is preferred to that of a namespace, and one that begins
// above the namespace says nothing of where it is.
func TestWidest(t *testing.T) {
	own := &Hierarchy{folder: "/own"}
	host := &Hierarchy{folder: "/host", root: "/../..", Whole: true}
	above := &Hierarchy{folder: "/above", root: "/.."}
	old := &Hierarchy{Number: 3, folder: "/old"}
	for _, row := range []struct{ all, want []*Hierarchy }{
		{[]*Hierarchy{own, old, host}, []*Hierarchy{host, old}},
		{[]*Hierarchy{own, above}, []*Hierarchy{own}},
		{[]*Hierarchy{above}, nil},
	} {
		got := widest(row.all)
		if len(got) != len(row.want) {
			t.Fatalf("%d hierarchies, want %d", len(got), len(row.want))
		}
		for i := range got {
			if got[i] != row.want[i] {
				t.Errorf("%s, want %s", got[i].folder, row.want[i].folder)
			}
		}
	}
}
