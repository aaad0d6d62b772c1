package exporter

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/exporter/config"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// A node is this machine with other names of pods.
type node struct {
	fs.FS
	names fs.FS
}

func (n node) of(name string) fs.FS {
	if strings.HasPrefix(name, "var/") {
		return n.names
	}
	return n.FS
}

func (n node) Open(name string) (fs.File, error)      { return n.of(name).Open(name) }
func (n node) ReadLink(name string) (string, error)   { return fs.ReadLink(n.of(name), name) }
func (n node) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(n.of(name), name) }
func (n node) Stat(name string) (fs.FileInfo, error)  { return fs.Stat(n.of(name), name) }

// A testPod is the groups of a pod with containers, as containerd makes them with
// systemd's driver.
type testPod struct {
	folder     string
	containers []string
}

// makePods makes groups of pods in the hierarchy of version 2, and the files that the
// kubelet would make. The first container of each pod holds it together.
func makePods(t *testing.T, pods, containers int) (list []testPod, names fs.FS) {
	t.Helper()
	top, err := os.MkdirTemp(groupRoot(t), "ply-kubepods-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeGroups(top) })
	root := t.TempDir()
	links := filepath.Join(root, "var/log/containers")
	make := func(folder string) {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	make(links)
	for p := range pods {
		uid := fmt.Sprintf("%08x-0000-4000-8000-000000000000", p)
		pod := testPod{folder: filepath.Join(top, "kubepods-burstable-pod"+strings.ReplaceAll(uid, "-", "_")+".slice")}
		name := fmt.Sprintf("web%d-6d4cf56db6-%s", p%10, random5(p))
		for c := range containers {
			id := fmt.Sprintf("%032x%032x", p, c)
			pod.containers = append(pod.containers, filepath.Join(pod.folder, "cri-containerd-"+id+".scope"))
			if c == 0 {
				continue
			}
			logs := fmt.Sprintf("var/log/pods/prod_%s_%s/c%d", name, uid, c)
			make(filepath.Join(root, logs))
			if err := os.Symlink("/"+logs+"/0.log", filepath.Join(links, fmt.Sprintf("%s_prod_c%d-%s.log", name, c, id))); err != nil {
				t.Fatal(err)
			}
		}
		for _, folder := range append([]string{pod.folder}, pod.containers...) {
			make(folder)
		}
		list = append(list, pod)
	}
	return list, os.DirFS(root)
}

// random5 is what Kubernetes would take for random, and another one for each number.
func random5(n int) string {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	s := make([]byte, 5)
	for i := range s {
		s[i] = letters[n%len(letters)]
		n /= len(letters)
	}
	return string(s)
}

func groupRoot(t *testing.T) string {
	t.Helper()
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var st unix.Statfs_t
		if unix.Statfs(root, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return root
		}
	}
	t.Fatal("no control groups of version 2")
	return ""
}

// removeGroups removes a group and those in it, which come first.
func removeGroups(top string) {
	var folders []string
	_ = filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, name)
		}
		return nil
	})
	for _, folder := range slices.Backward(folders) {
		_ = os.Remove(folder)
	}
}

// runIn runs a command in a group.
func runIn(t *testing.T, group string) {
	t.Helper()
	f, err := os.Open(group)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
}

// A node with as many pods as the kubelet allows, and a thousand groups.
func TestNodeOfPods(t *testing.T) {
	need.BPF(t)
	machine := node{FS: runningKernel(t).Files(), names: os.DirFS(t.TempDir())}
	k, err := kernel.Open(&machine)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("probes.yaml", []byte(`
scripts:
  - name: made
    script: |
      tracepoint:cgroup/cgroup_mkdir { @[cgroup(data->id, data->root)] = count(); }
    metrics:
      - {map: "@", name: made_total, labels: [{as: [namespace, pod, container], ttl: 0s}]}
  - name: calls
    script: |
      tracepoint:raw_syscalls/sys_enter / cgroup in "/ply-kubepods-*/**/cri-containerd-*.scope" / { @[cgroup] = count(); }
    metrics:
      - {map: "@", name: calls_total, labels: [{as: [namespace, workload]}]}
`))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	scripts, fatal := compile(cfg, NewBackend(k, slog.New(slog.DiscardHandler), false))
	if len(fatal) > 0 {
		t.Fatal(fatal.Detail())
	}
	b := NewBackend(k, slog.New(slog.DiscardHandler), false)
	start(scripts, b)
	defer stop(scripts)
	c := &collector{scripts: scripts, maxSeries: 50000, log: slog.New(slog.DiscardHandler)}
	const pods, containers = 110, 9
	list, names := makePods(t, pods, containers)
	machine.names = names
	runIn(t, list[3].containers[1])

	begin := time.Now()
	text := scrape(t, c)
	t.Logf("a scrape of %d groups takes %v", pods*(containers+1), time.Since(begin))
	begin = time.Now()
	scrape(t, c)
	t.Logf("the next one %v", time.Since(begin))
	if got, want := strings.Count(text, "\nmade_total{"), pods*containers; got < want || got > want+1 {
		t.Errorf("%d series, want %d: one for each container, and one for what is none of a pod's containers", got, want)
	}
	for _, want := range []string{
		`made_total{container="c8",namespace="prod",pod="web9-6d4cf56db6-` + random5(109) + `"} 1`,
		`made_total{container="",namespace="prod",pod="web0-6d4cf56db6-` + random5(0) + `"} 2`, // the pod, and what holds it together
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s in\n%.3000s", want, text)
		}
	}
	if got := strings.Count(text, "\ncalls_total{"); got != 1 || !strings.Contains(text, `calls_total{namespace="prod",workload="web3"} `) {
		t.Errorf("%d workloads have made system calls: %s", got, text[strings.Index(text, "calls_total"):][:300])
	}

	removeGroups(list[0].folder)
	text = scrape(t, c)
	if strings.Contains(text, `pod="web0-6d4cf56db6-`+random5(0)+`"`) || strings.Count(text, "\nmade_total{") < (pods-1)*containers {
		t.Errorf("a pod that ended is there, or others are not")
	}
}
