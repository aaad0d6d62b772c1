package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// newCgroup makes a control group of version 2, and returns its folder.
func newCgroup(t *testing.T, name string) string {
	t.Helper()
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var st unix.Statfs_t
		if unix.Statfs(root, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			dir, err := os.MkdirTemp(root, name)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Remove(dir) })
			return dir
		}
	}
	t.Fatal("no control groups of version 2")
	return ""
}

// A group is shown by its name however soon it is made after others were named,
// and keeps it when it is gone.
func TestCgroupsHaveTheirNames(t *testing.T) {
	need.BPF(t)
	s := startServer(t, `
scripts:
  - name: calls
    script: |
      kprobe:SyS_getpriority / comm == "ply-workload" / { @[cgroup, tid] = count(); }
`)
	expect := func(when, group string, n int) {
		t.Helper()
		_, text := s.get(t, "/metrics")
		if got := strings.Count(text, fmt.Sprintf("ply_calls_total{cgroup=\"/%s\",tid=", group)); got != n {
			t.Errorf("%s: %d series of %s, want %d, in\n%s", when, got, group, n, text)
		}
	}
	for range 3 {
		dir := newCgroup(t, "ply-test-")
		runWorkloadIn(t, dir, 1)
		expect("new", filepath.Base(dir), 1)
		runWorkloadIn(t, dir, 1)
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		expect("gone", filepath.Base(dir), 2)
	}
}

// runWorkloadIn runs the workload in a control group.
func runWorkloadIn(t *testing.T, dir string, n int) {
	t.Helper()
	group, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	runWorkloadWith(t, n, &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())})
}

// Groups of a hierarchy of version 1 have its paths, though their IDs are those of
// other groups in another hierarchy.
func TestCgroupsOfTwoVersions(t *testing.T) {
	need.OldAndNew(t)
	need.BPF(t)
	s := startServer(t, `
scripts:
  - name: made
    script: |
      tracepoint:cgroup/cgroup_mkdir { @by_id[cgroup(data->id, data->root)] = count(); }
      rawtracepoint:cgroup_mkdir { @by_struct[cgroup((struct cgroup *)arg0)] = count(); }
`)
	old := newHierarchy(t)
	names := []string{filepath.Base(newCgroup(t, "ply-new-"))}
	for range 3 {
		dir, err := os.MkdirTemp(old, "ply-old-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(dir) })
		names = append(names, filepath.Base(dir))
	}
	_, text := s.get(t, "/metrics")
	for _, name := range names {
		for _, by := range []string{"id", "struct"} {
			if series := fmt.Sprintf("ply_made_by_%s_total{cgroup=\"/%s\"} 1\n", by, name); !strings.Contains(text, series) {
				t.Errorf("no %sin\n%s", series, text)
			}
		}
	}
}

// newHierarchy mounts one of version 1 that has no controllers.
func newHierarchy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "cgroup", 0, "none,name=ply-test"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, 0) })
	return dir
}
