package cli

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gopkg.in/yaml.v3"

	"ply-exporter/internal/need"
)

// A podSpec is what the test needs of deploy/kubernetes/base/daemonset.yaml.
type podSpec struct {
	HostPID    bool `yaml:"hostPID"`
	Containers []container
	Volumes    []struct {
		Name     string
		HostPath struct{ Path string } `yaml:"hostPath"`
	}
}

type container struct {
	Args            []string
	SecurityContext struct {
		RunAsUser    int `yaml:"runAsUser"`
		RunAsGroup   int `yaml:"runAsGroup"`
		Capabilities struct{ Add []string }

		AllowPrivilegeEscalation bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool `yaml:"readOnlyRootFilesystem"`
	} `yaml:"securityContext"`
	LivenessProbe  httpProbe     `yaml:"livenessProbe"`
	ReadinessProbe httpProbe     `yaml:"readinessProbe"`
	VolumeMounts   []volumeMount `yaml:"volumeMounts"`
}

type httpProbe struct {
	HTTPGet struct{ Path string } `yaml:"httpGet"`
}

type volumeMount struct {
	Name      string
	MountPath string `yaml:"mountPath"`
	ReadOnly  bool   `yaml:"readOnly"`
}

const manifests = "../deploy/kubernetes/"

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func readDaemonSet(t *testing.T) podSpec {
	t.Helper()
	var set struct {
		Spec struct{ Template struct{ Spec podSpec } }
	}
	readYAML(t, manifests+"base/daemonset.yaml", &set)
	return set.Spec.Template.Spec
}

// A pod is a container of the DaemonSet, run by runc.
type pod struct {
	*server
	runc, state, id string
	config          string         // folder of the ConfigMap
	spec            map[string]any // of the Open Container Initiative
}

// memoryLimit is enough on a machine of up to 16 CPUs.
const memoryLimit = 64 << 20

type document = map[string]any

// newPod is a container as the kubelet and a container runtime make it of the
// DaemonSet, but for the network, which is the machine's, and the address.
func newPod(t *testing.T, root, config string) *pod {
	t.Helper()
	p := &pod{server: &server{address: freeAddress(t), log: writeFile(t, "log", "")}, runc: need.Command(t, "runc"), state: t.TempDir(), config: config}
	p.id = "ply-exporter-" + filepath.Base(filepath.Dir(p.state)) + filepath.Base(p.state)
	from := readDaemonSet(t)
	c := from.Containers[0]
	var caps, args []string
	for _, name := range c.SecurityContext.Capabilities.Add {
		caps = append(caps, "CAP_"+name)
	}
	for _, arg := range c.Args {
		args = append(args, strings.Replace(arg, ":10759", p.address, 1))
	}
	namespaces := []document{{"type": "mount"}, {"type": "ipc"}, {"type": "uts"}}
	if !from.HostPID {
		namespaces = append(namespaces, document{"type": "pid"})
	}
	p.spec = document{
		"ociVersion": "1.0.2",
		"process": document{
			"args": append([]string{"/ply-exporter"}, args...), "cwd": "/", "env": []string{"PATH=/", asCommand + "=ply-exporter"}, // if it is these tests
			"user":            document{"uid": c.SecurityContext.RunAsUser, "gid": c.SecurityContext.RunAsGroup},
			"capabilities":    document{"bounding": caps, "effective": caps, "permitted": caps},
			"noNewPrivileges": !c.SecurityContext.AllowPrivilegeEscalation,
		},
		"root":   document{"path": root, "readonly": c.SecurityContext.ReadOnlyRootFilesystem},
		"mounts": append(ownMounts(), p.volumes(t, from)...),
		"linux": document{
			"namespaces":  namespaces,
			"cgroupsPath": "/" + p.id,
			"resources":   document{"memory": document{"limit": memoryLimit}, "devices": []document{{"allow": false, "access": "rwm"}}},
			"seccomp":     seccompProfile(t),
			"maskedPaths": []string{
				"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
			},
			"readonlyPaths": []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
	return p
}

// ownMounts are those of every container.
func ownMounts() []document {
	return []document{
		{"destination": "/proc", "type": "proc", "source": "proc"},
		{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "mode=755", "size=64k"}},
		{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": []string{"nosuid", "noexec", "nodev", "ro"}},
	}
}

// volumes are the mounts. A folder that the node lacks is made by its runtime.
func (p *pod) volumes(t *testing.T, from podSpec) (mounts []document) {
	t.Helper()
	for _, m := range from.Containers[0].VolumeMounts {
		source := p.config
		for _, v := range from.Volumes {
			if v.Name == m.Name && v.HostPath.Path != "" {
				source = hostFolder(t, v.HostPath.Path)
			}
		}
		if _, err := os.Stat(source); err != nil {
			source = t.TempDir()
		}
		access := "rw"
		if m.ReadOnly {
			access = "ro"
		}
		mounts = append(mounts, document{"destination": m.MountPath, "type": "bind", "source": source, "options": []string{"rbind", access}})
	}
	return mounts
}

// hostFolder is a folder of this machine, or an empty one where it has none, as machines
// without a kubelet have no logs of pods.
func hostFolder(t *testing.T, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		return t.TempDir()
	}
	return path
}

// without leaves a mount out.
func (p *pod) without(destination string) {
	p.spec["mounts"] = slices.DeleteFunc(p.spec["mounts"].([]document), func(m document) bool { return m["destination"] == destination })
}

func seccompProfile(t *testing.T) (profile document) {
	t.Helper()
	readYAML(t, manifests+"seccomp/ply-exporter.json", &profile)
	return profile
}

// image is the content of the container image.
func image(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", filepath.Join(dir, "ply-exporter"), "ply-exporter")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// configMap lays files out as the kubelet does: in a folder behind two links.
func configMap(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	const data = "..2026_11_28_00_00_00.1"
	errs := []error{os.Mkdir(filepath.Join(dir, data), 0o755), os.Symlink(data, filepath.Join(dir, "..data"))}
	for name, text := range files {
		errs = append(errs,
			os.WriteFile(filepath.Join(dir, data, name), []byte(text), 0o644), //nolint:gosec // as the kubelet does
			os.Symlink("..data/"+name, filepath.Join(dir, name)))
	}
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// allConfigurations are the files of the ConfigMap.
func allConfigurations(t *testing.T) map[string]string {
	t.Helper()
	var k struct {
		ConfigMapGenerator []struct{ Files []string } `yaml:"configMapGenerator"`
	}
	readYAML(t, "../configs/Kustomization", &k)
	files := map[string]string{}
	for _, name := range k.ConfigMapGenerator[0].Files {
		text, err := os.ReadFile("../configs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	return files
}

// command is one of runc's.
func (p *pod) command(args ...string) *exec.Cmd {
	return exec.Command(p.runc, append([]string{"--root", p.state}, args...)...)
}

func (p *pod) run(t *testing.T) {
	t.Helper()
	bundle := t.TempDir()
	text, err := json.Marshal(p.spec)
	if err == nil {
		err = os.WriteFile(filepath.Join(bundle, "config.json"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.remove)
	p.cmd = p.command("run", "--bundle", bundle, p.id)
	p.start(t)
}

// remove ends the container, whose process may take a while, and removes its control
// groups, which runc leaves where it was killed itself.
func (p *pod) remove() {
	_ = p.command("delete", "--force", p.id).Run()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		left, _ := filepath.Glob("/sys/fs/cgroup/*/" + p.id) // the pattern is well formed
		for _, dir := range left {
			_ = os.Remove(dir)
		}
		if len(left) == 0 {
			return
		}
	}
}

// status is the container's line of /proc/PID/status that begins with a word.
func (p *pod) status(t *testing.T, word string) string {
	t.Helper()
	var state struct{ PID int }
	out, err := p.command("state", p.id).Output()
	if err == nil {
		err = json.Unmarshal(out, &state)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, p.logText(t))
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", state.PID))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, word+":"); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// down are the scripts and probes that do not run.
func (p *pod) down(t *testing.T) (lines []string) {
	t.Helper()
	_, text := p.get(t, "/metrics")
	for line := range strings.Lines(text) {
		if (strings.HasPrefix(line, "ply_script_up{") || strings.HasPrefix(line, "ply_probe_attached{")) && !strings.HasSuffix(line, " 1\n") {
			lines = append(lines, line)
		}
	}
	return lines
}

// All shipped configurations run with the user, capabilities, seccomp profile,
// mounts and arguments of the DaemonSet, answer its probes, and keep to the
// memory limit under load: what exceeds it is killed by the kernel.
func TestDaemonSet(t *testing.T) {
	need.BPF(t)
	setSysctl(t, "perf_event_paranoid", "2")
	c := readDaemonSet(t).Containers[0]
	if !slices.ContainsFunc(c.Args, func(arg string) bool { return strings.HasSuffix(arg, ":10759") }) {
		t.Errorf("another port in %q", c.Args)
	}
	p := newPod(t, image(t), configMap(t, allConfigurations(t)))
	p.run(t)
	for _, path := range []string{c.LivenessProbe.HTTPGet.Path, c.ReadinessProbe.HTTPGet.Path} {
		if status, body := p.get(t, path); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if caps := p.status(t, "CapEff"); caps != fmt.Sprintf("%016x", 1<<unix.CAP_BPF|1<<unix.CAP_PERFMON|1<<unix.CAP_SYSLOG) {
		t.Errorf("capabilities %s", caps)
	}
	if p.status(t, "Seccomp") != "2" || p.status(t, "NoNewPrivs") != "1" {
		t.Errorf("Seccomp %s, NoNewPrivs %s", p.status(t, "Seccomp"), p.status(t, "NoNewPrivs"))
	}
	stop := load(t)
	for range 30 {
		if status, _ := p.get(t, "/metrics"); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	if lines := p.down(t); len(lines) > 0 {
		t.Errorf("%s\n%s", lines, p.logText(t))
	}
	stats, err := p.command("events", "--stats", p.id).Output()
	if err != nil {
		t.Fatal(err)
	}
	memory := struct{ Data struct{ Memory any } }{}
	if err := json.Unmarshal(stats, &memory); err != nil {
		t.Fatal(err)
	}
	t.Logf("resident %s, of that anonymous %s; memory of the cgroup %v", p.status(t, "VmRSS"), p.status(t, "RssAnon"), memory.Data.Memory)
}

// load keeps the machine busy with what the configurations count, until it is
// stopped.
func load(t *testing.T) (stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dir, done := t.TempDir(), make(chan struct{})
	var busy sync.WaitGroup
	keep := func(work func()) {
		busy.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					work()
				}
			}
		})
	}
	keep(func() { _ = exec.Command("true").Run() })
	keep(func() {
		file := filepath.Join(dir, "file")
		_ = os.WriteFile(file, make([]byte, 64<<10), 0o600)
		_, _ = os.ReadFile(file)
		_ = os.Remove(file)
	})
	keep(func() {
		if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
			_ = c.Close()
		}
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	return func() { close(done); busy.Wait(); _ = l.Close() }
}
