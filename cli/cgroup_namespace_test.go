package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ply-exporter/internal/need"
)

// startServerInCgroup is startServer in a cgroup with a namespace and mounts of its
// own, as a container has them.
func startServerInCgroup(t *testing.T, dir, mounts, config string) *server {
	t.Helper()
	s := &server{address: freeAddress(t), log: writeFile(t, "log", "")}
	s.cmd = exec.Command(need.Command(t, "unshare"), "-C", "-m", "sh", "-ec", mounts+`; exec "$0" "$@"`, os.Args[0],
		"--config", writeFile(t, "probes.yaml", config), "--web.listen-address", s.address)
	s.cmd.Env = append(os.Environ(), asCommand+"=ply-exporter")
	group, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	s.cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	s.start(t)
	return s
}

// A container that has only its own part of the hierarchy names that part from its
// own group on, and nothing else by a name that is another's; one that has the
// machine's, wherever, names all from the machine's root. One that has none knows
// what is made later.
func TestCgroupNamespace(t *testing.T) {
	need.BPF(t)
	const config = `
scripts:
  - name: calls
    script: |
      kprobe:SyS_getpriority / comm == "ply-workload" / { @[cgroup, cgroup in "/ply-ns-*"] = count(); }
`
	for _, seen := range []string{"part", "all", "nothing"} {
		own := newCgroup(t, "ply-ns-own-")
		outside, inside := newCgroup(t, "ply-ns-out-"), subgroup(t, own, "child")
		root := filepath.Dir(own)
		mounts := fmt.Sprintf("umount -l %s", root)
		if seen != "nothing" {
			mounts += fmt.Sprintf("; mount -t cgroup2 none %s", root)
		}
		if seen == "all" {
			mounts = fmt.Sprintf("mount --bind %s %s; ", root, t.TempDir()) + mounts
		}
		s := startServerInCgroup(t, own, mounts, config)
		later := newCgroup(t, "ply-ns-late-")
		dirs := []string{root, outside, own, inside, later}
		for _, dir := range dirs {
			runWorkloadIn(t, dir, 1)
		}
		_, text := s.get(t, "/metrics")
		for i, dir := range dirs {
			whole := strings.TrimPrefix(dir, root)
			unknown := "cgroup:" + inode(t, dir)
			name := map[string][]string{
				"part":    {unknown, unknown, "/", "/child", unknown},
				"all":     {"/", whole, whole, whole, whole},
				"nothing": {"/", unknown, unknown, unknown, whole},
			}[seen][i]
			in := 0
			if dir != root && (seen == "all" || dir == later) {
				in = 1
			}
			if series := fmt.Sprintf("ply_calls_total{cgroup=%q,key=\"%d\"} 1\n", name, in); !strings.Contains(text, series) {
				t.Errorf("%s is seen: no %sin\n%s", seen, series, grep(text, "ply_calls"))
			}
		}
		if warned := strings.Contains(s.logText(t), "only cgroups that are made from now on"); warned != (seen != "all") {
			t.Errorf("%s is seen: warned %t", seen, warned)
		}
	}
}

func inode(t *testing.T, dir string) string {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(st.Ino)
}
