package cli

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"gopkg.in/yaml.v3"

	"ply-exporter/internal/need"
)

// asPod makes the test binary move into a folder, keep only these capabilities
// ("/root BPF PERFMON") and gain no others, as a container runtime does, and
// become the program /ply-exporter there.
const asPod = "PLY_TEST_POD"

func init() {
	if words := strings.Fields(os.Getenv(asPod)); len(words) > 0 {
		fmt.Fprintln(os.Stderr, "pod:", becomePod(words[0], words[1:]))
		os.Exit(99)
	}
}

func becomePod(root string, keep []string) error {
	runtime.LockOSThread()
	if err := unix.Chroot(root); err != nil {
		return err
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	kept := map[uintptr]bool{}
	for _, name := range keep {
		kept[capabilityNumbers[name]] = true
	}
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if kept[c] {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && err != unix.EINVAL { // newer than the kernel
			return err
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return unix.Exec("/ply-exporter", append([]string{"/ply-exporter"}, os.Args[1:]...), nil)
}

// A podSpec is what the test needs of deploy/kubernetes/daemonset.yaml.
type podSpec struct {
	Spec struct {
		Template struct {
			Spec struct {
				Containers []container
				Volumes    []struct {
					Name     string
					HostPath struct{ Path string } `yaml:"hostPath"`
				}
			}
		}
	}
}

type container struct {
	Args            []string
	SecurityContext struct {
		RunAsUser    int `yaml:"runAsUser"`
		Capabilities struct{ Add []string }
	} `yaml:"securityContext"`
	LivenessProbe  httpProbe `yaml:"livenessProbe"`
	ReadinessProbe httpProbe `yaml:"readinessProbe"`
	VolumeMounts   []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

type httpProbe struct {
	HTTPGet struct{ Path string } `yaml:"httpGet"`
}

func readDaemonSet(t *testing.T) podSpec {
	t.Helper()
	text, err := os.ReadFile("../deploy/kubernetes/daemonset.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var pod podSpec
	if err := yaml.Unmarshal(text, &pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

// inRoot makes what the container sees below a folder: the program, proc, sys
// without what is mounted in it, the volumes, and nothing that can be written.
// Then it runs the rest there.
const inRoot = `set -e
root=$1 image=$2; shift 2
mount --make-rprivate /
mount --bind "$image" "$root"
mount --bind /proc "$root/proc"
mount --bind /sys "$root/sys"
mount -o remount,bind,ro "$root/sys"
while [ "$1" != -- ]; do
	mount --bind "$1" "$root$2"
	mount -o remount,bind,ro "$root$2"
	shift 2
done
shift
mount -o remount,bind,ro "$root"
exec "$@"`

// image is the content of the container image, with folders to mount on.
func image(t *testing.T, mounts ...string) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "ply-exporter"), "ply-exporter")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, mount := range append(mounts, "/proc", "/sys") {
		if err := os.MkdirAll(filepath.Join(dir, mount), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// configMap lays files out as the kubelet does: in a folder behind two links.
func configMap(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../configs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "..2026_11_28_00_00_00.1"), 0o755),
		os.WriteFile(filepath.Join(dir, "..2026_11_28_00_00_00.1", name), text, 0o644), //nolint:gosec // as the kubelet does
		os.Symlink("..2026_11_28_00_00_00.1", filepath.Join(dir, "..data")),
		os.Symlink("..data/"+name, filepath.Join(dir, name)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// startPod runs the container's command line, at another address.
func startPod(t *testing.T, pod podSpec) *server {
	t.Helper()
	c := pod.Spec.Template.Spec.Containers[0]
	if c.SecurityContext.RunAsUser != os.Getuid() {
		t.Fatalf("runs as user %d", c.SecurityContext.RunAsUser)
	}
	var volumes, mounts []string
	for _, m := range c.VolumeMounts {
		from := configMap(t, "quickstart.yaml")
		for _, v := range pod.Spec.Template.Spec.Volumes {
			if v.Name == m.Name && v.HostPath.Path != "" {
				from = v.HostPath.Path
			}
		}
		volumes, mounts = append(volumes, from, m.MountPath), append(mounts, m.MountPath)
	}
	s := &server{address: freeAddress(t), log: writeFile(t, "log", "")}
	root := t.TempDir()
	args := append([]string{"-m", "sh", "-c", inRoot, "sh", root, image(t, mounts...)}, volumes...)
	args = append(args, "--", os.Args[0])
	for _, arg := range c.Args {
		args = append(args, strings.Replace(arg, ":10759", s.address, 1))
	}
	s.cmd = exec.Command(need.Command(t, "unshare"), args...)
	s.cmd.Env = append(os.Environ(), asPod+"="+root+" "+strings.Join(c.SecurityContext.Capabilities.Add, " "))
	s.start(t)
	return s
}

// All scripts of the quickstart run with the capabilities, mounts and arguments
// of the DaemonSet, and its probes are answered.
func TestDaemonSet(t *testing.T) {
	need.BPF(t)
	setSysctl(t, "perf_event_paranoid", "2")
	pod := readDaemonSet(t)
	s := startPod(t, pod)
	c := pod.Spec.Template.Spec.Containers[0]
	if !slices.ContainsFunc(c.Args, func(arg string) bool { return strings.HasSuffix(arg, ":10759") }) {
		t.Errorf("another port in %q", c.Args)
	}
	for _, path := range []string{c.LivenessProbe.HTTPGet.Path, c.ReadinessProbe.HTTPGet.Path} {
		if status, body := s.get(t, path); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(status), fmt.Sprintf("CapEff:\t%016x\n", 1<<unix.CAP_BPF|1<<unix.CAP_PERFMON|1<<unix.CAP_SYSLOG)) {
		t.Errorf("other capabilities in\n%s", status)
	}
	_, text := s.get(t, "/metrics")
	if up := strings.Count(text, "\nply_script_up{"); up != 6 {
		t.Errorf("%d scripts", up)
	}
	for line := range strings.Lines(text) {
		if (strings.HasPrefix(line, "ply_script_up{") || strings.HasPrefix(line, "ply_probe_attached{")) && !strings.HasSuffix(line, " 1\n") {
			t.Errorf("%s%s", line, s.logText(t))
		}
	}
}
