package containers

import (
	"slices"
	"strings"
	"testing"
)

// Two IDs of containers and two UIDs of pods.
var (
	id, other = strings.Repeat("0123456789abcdef", 4), strings.Repeat("fedcba98", 8)
)

const (
	uid    = "12345678-9abc-def0-1234-56789abcdef0"
	static = "0123456789abcdef0123456789abcdef"
)

// paths are those that runtimes make: as seen where they ran, or as their sources
// and the kubelet's say. ID, OTHER, UID, U_I_D and STATIC stand for what is above.
var paths = []struct {
	who, path, want string // pod, IDs and name
}{
	{"podman, systemd, crun", "/machine.slice/libpod-ID.scope/container", "- ID"},
	{"podman, systemd, runc", "/machine.slice/libpod-ID.scope", "- ID"},
	{"podman, cgroupfs", "/libpod_parent/libpod-ID", "- ID"},
	{"podman, a user's", "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container", "- ID"},
	{"podman's pod", "/machine.slice/machine-libpod_pod_OTHER.slice/libpod-ID.scope/container", "- ID"},
	{"podman's pod, no container", "/machine.slice/machine-libpod_pod_OTHER.slice", "-"},
	{"podman's pod, cgroupfs", "/libpod_parent/OTHER/libpod-ID", "- ID"},
	{"podman's pod, cgroupfs, conmon of version 1", "/libpod_parent/OTHER/conmon", "-"},
	{"conmon", "/machine.slice/libpod-conmon-ID.scope", "-"},
	{"conmon in a pod", "/machine.slice/machine-libpod_pod_OTHER.slice/libpod-conmon-ID.scope", "-"},
	{"conmon of version 1", "/libpod_parent/conmon", "-"},
	{"conmon of podman in docker", "/docker/OTHER/libpod_parent/libpod-conmon-ID", "- OTHER"},
	{"crun or runc alone", "/web", "-"},

	{"docker, systemd", "/system.slice/docker-ID.scope", "- ID"},
	{"docker, cgroupfs", "/docker/ID", "- ID"},
	{"docker, systemd in it", "/docker/ID/system.slice/nginx.service", "- ID"},
	{"docker in docker", "/docker/OTHER/docker/ID", "- OTHER ID"},
	{"docker, a parent of one's own", "/builds/ID", "- ID"},
	{"docker, seen from beside it", "/../ID", "- ID"},
	{"buildkit", "/docker/buildkit/kfoqmbbuqsgx2x6x8lsd4iz8w", "-"},
	{"nerdctl, systemd", "/system.slice/nerdctl-ID.scope", "- ID"},
	{"nerdctl, cgroupfs", "/default/ID", "- ID"},
	{"Amazon's ECS", "/ecs/0123456789abcdef0123456789abcdef/ID", "- ID"},

	{"containerd, systemd, burstable", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_I_D.slice/cri-containerd-ID.scope", "UID ID"},
	{"containerd, systemd, best effort", "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podU_I_D.slice/cri-containerd-ID.scope", "UID ID"},
	{"containerd, systemd, guaranteed", "/kubepods.slice/kubepods-podU_I_D.slice/cri-containerd-ID.scope", "UID ID"},
	{"containerd, cgroupfs", "/kubepods/burstable/podUID/ID", "UID ID"},
	{"containerd, cgroupfs, guaranteed", "/kubepods/podUID/ID", "UID ID"},
	{"containerd without systemd under the kubelet's", "/system.slice/containerd.service/kubepods-burstable-podU_I_D.slice:cri-containerd:ID", "UID ID"},
	{"the same at the root", "/kubepods-burstable-podU_I_D.slice:cri-containerd:ID", "UID ID"},
	{"CRI-O, systemd", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_I_D.slice/crio-ID.scope", "UID ID"},
	{"CRI-O, systemd, crun", "/kubepods.slice/kubepods-podU_I_D.slice/crio-ID.scope/container", "UID ID"},
	{"CRI-O, cgroupfs", "/kubepods/burstable/podUID/crio-ID", "UID ID"},
	{"its conmon, systemd", "/kubepods.slice/kubepods-podU_I_D.slice/crio-conmon-ID.scope", "UID"},
	{"its conmon, cgroupfs", "/kubepods/podUID/crio-conmon-ID", "UID"},
	{"its conmon, outside", "/system.slice/crio-conmon-ID.scope", "-"},
	{"docker under the kubelet, systemd", "/kubepods.slice/kubepods-podU_I_D.slice/docker-ID.scope", "UID ID"},
	{"a static pod", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podSTATIC.slice/cri-containerd-ID.scope", "STATIC ID"},
	{"a static pod, cgroupfs", "/kubepods/burstable/podSTATIC/ID", "STATIC ID"},
	{"a pod", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_I_D.slice", "UID"},
	{"a class", "/kubepods.slice/kubepods-burstable.slice", "-"},
	{"kind", "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-podU_I_D.slice/cri-containerd-ID.scope", "UID ID"},
	{"kind, from its host", "/system.slice/docker-OTHER.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podU_I_D.slice/cri-containerd-ID.scope", "UID ID"},
	{"kind, from its host, a pod", "/docker/OTHER/kubelet/kubepods/podUID", "UID"},
	{"a root with a hyphen", "/my_root.slice/my_root-kubepods.slice/my_root-kubepods-podU_I_D.slice/crio-ID.scope", "UID ID"},
	{"docker in a pod", "/kubepods/podUID/OTHER/docker/ID", "UID OTHER ID"},
	{"a pod in a pod", "/kubepods/podSTATIC/OTHER/kubepods/podUID/ID", "UID ID"},
	{"systemd in a pod", "/kubepods/podUID/ID/init.scope", "UID ID"},

	{"LXC", "/lxc.payload.web", "- name=web"},
	{"LXC, a unit in it", "/lxc.payload.web/system.slice/nginx.service", "- name=web"},
	{"LXC's monitor", "/lxc.monitor.web", "-"},
	{"LXC, a name that was left over", "/lxc.payload.web-1", "- name=web-1"},
	{"docker in LXC", "/lxc.payload.web/docker/ID", "- ID"},
	{"LXC in docker", "/docker/ID/lxc.payload.web", "- ID name=web"},
	{"systemd-nspawn", `/machine.slice/machine-web\x2d1.scope/payload`, "- name=web-1"},
	{"systemd-nspawn, a service", `/machine.slice/systemd-nspawn@web\x2d1.service/payload`, "- name=web-1"},
	{"its supervisor", `/machine.slice/systemd-nspawn@web\x2d1.service/supervisor`, "-"},
	{"a virtual machine", `/machine.slice/machine-qemu\x2d1\x2dvm.scope/libvirt/emulator`, "- name=qemu-1-vm"},
	{"an escape that is none", `/machine.slice/machine-a\xzz\x.scope`, `- name=a\xzz\x`},

	{"a service", "/system.slice/nginx.service", "-"},
	{"an instance", "/system.slice/system-foo.slice/foo@a-b:c.service", "-"},
	{"a unit with a blank", `/system.slice/we\x20ird:x.service`, "-"},
	{"a session", "/user.slice/user-1000.slice/session-3.scope", "-"},
	{"the root", "/", "-"},
	{"nothing", "", "-"},
	{"gone", "/docker/ID (deleted)", "- ID"},
	{"63 digits", "/docker/" + strings.Repeat("a", 63), "-"},
	{"upper case", "/docker/" + strings.Repeat("A", 64), "-"},
	{"a pod's name that is none", "/kubepods/podUID.slice.d", "-"},
	{"not a pod", "/tripodUID", "-"},
}

func TestParse(t *testing.T) {
	r := strings.NewReplacer("ID", id, "OTHER", other, "UID", uid, "U_I_D", strings.ReplaceAll(uid, "-", "_"), "STATIC", static)
	for _, tt := range paths {
		p := Parse(r.Replace(tt.path))
		got := append([]string{p.Pod}, p.IDs...)
		if p.Pod == "" {
			got[0] = "-"
		}
		if p.Name != "" {
			got = append(got, "name="+p.Name)
		}
		if want := strings.Fields(r.Replace(tt.want)); !slices.Equal(got, want) {
			t.Errorf("%s: %s is %q, want %q", tt.who, tt.path, got, want)
		}
	}
}
