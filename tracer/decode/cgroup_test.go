package decode

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"ply-exporter/bpfgen/object"
)

// The groups of a hierarchy are known by their inode numbers and that of the
// hierarchy.
func TestWalkHierarchy(t *testing.T) {
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, "a/b"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		hierarchy
		want []string
	}{
		{hierarchy{number: 0}, []string{"/", "/a", "/a/b"}},
		{hierarchy{number: 4}, []string{"/", "/a", "/a/b"}},
		{hierarchy{number: 4, root: "/docker/1"}, []string{"/docker/1", "/docker/1/a", "/docker/1/a/b"}},
	} {
		row.folder = folder
		got := map[uint64]string{}
		row.walk(got)
		for i, path := range []string{"/", "/a", "/a/b"} {
			var st syscall.Stat_t
			if err := syscall.Stat(folder+path, &st); err != nil || got[object.CgroupKey(st.Ino, row.number)] != row.want[i] {
				t.Errorf("%v: %s is %v, want %s, %v", row.hierarchy, path, got, row.want[i], err)
			}
		}
		if len(got) != 3 {
			t.Errorf("%v: %d paths", row.hierarchy, len(got))
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
		want                  []hierarchy
	}{
		{"version 1", v1, numbers, []hierarchy{
			{1, "/sys/fs/cgroup/cpu,cpuacct", "", false}, {9, "/sys/fs/cgroup/my systemd", "/docker/1", false}, {0, "/sys/fs/cgroup/unified", "", false},
		}},
		{"a namespace", private, "0::/\n", []hierarchy{{0, "/sys/fs/cgroup", "", false}, {0, "/host/sys/fs/cgroup", "/../../..", false}}},
		{"nothing", "", "", nil},
		{"no numbers", v1, "", []hierarchy{{0, "/sys/fs/cgroup/unified", "", false}}},
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
	own := &hierarchy{folder: "/own"}
	host := &hierarchy{folder: "/host", root: "/../..", whole: true}
	above := &hierarchy{folder: "/above", root: "/.."}
	old := &hierarchy{number: 3, folder: "/old"}
	for _, row := range []struct{ all, want []*hierarchy }{
		{[]*hierarchy{own, old, host}, []*hierarchy{host, old}},
		{[]*hierarchy{own, above}, []*hierarchy{own}},
		{[]*hierarchy{above}, nil},
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
