package decode

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

const podUID = "12345678-9abc-def0-1234-56789abcdef0"

var containerID, pauseID = strings.Repeat("0123456789abcdef", 4), strings.Repeat("fedcba98", 8)

// nodeDecoder decodes on a node with these files, beside those of this machine's kernel.
func nodeDecoder(t *testing.T, files fstest.MapFS) *Decoder {
	t.Helper()
	k, err := kernel.Open(files)
	if err != nil {
		t.Fatal(err)
	}
	return New(NewMachine(k), nil, nil)
}

// podFiles are what the kubelet makes for a pod with a container.
func podFiles() fstest.MapFS {
	log := "/var/log/pods/prod_web-6d4cf56db6-x2x9z_" + podUID + "/nginx/0.log"
	return fstest.MapFS{
		"proc/version": {Data: []byte("Linux version 6.18.0 x")},
		log[1:]:        {},
		"var/log/containers/web-6d4cf56db6-x2x9z_prod_nginx-" + containerID + ".log":     {Data: []byte(log), Mode: fs.ModeSymlink},
		"var/log/pods/kube-system_etcd-node7_" + strings.Repeat("a", 32) + "/etcd/0.log": {},
		"var/lib/docker/containers/" + pauseID + "/config.v2.json":                       {Data: []byte(`{"Name":"/db"}`)},
	}
}

func group(key uint64) object.Value {
	return object.Value{Type: shown(plylang.DisplayCgroup), Raw: word(int64(key))}
}

func TestLabelsOfCgroups(t *testing.T) {
	t.Setenv("NODE_NAME", "node7")
	pod := "/kubepods.slice/kubepods-pod" + strings.ReplaceAll(podUID, "-", "_") + ".slice"
	unnamed := strings.Repeat("b", 32)
	d := nodeDecoder(t, podFiles())
	for i, tt := range []struct {
		path    string
		want    []string // namespace, pod, UID, container, ID, workload
		settled bool
	}{
		{pod + "/cri-containerd-" + containerID + ".scope", []string{"prod", "web-6d4cf56db6-x2x9z", podUID, "nginx", containerID, "web"}, true},
		{pod + "/cri-containerd-" + containerID + ".scope/docker/" + strings.Repeat("c", 64), []string{"prod", "web-6d4cf56db6-x2x9z", podUID, "nginx", strings.Repeat("c", 64), "web"}, true},
		{pod + "/cri-containerd-" + strings.Repeat("c", 64) + ".scope", []string{"prod", "web-6d4cf56db6-x2x9z", podUID, "", strings.Repeat("c", 64), "web"}, false},
		{pod, []string{"prod", "web-6d4cf56db6-x2x9z", podUID, "", "", "web"}, true},
		{"/kubepods/pod" + unnamed + "/" + strings.Repeat("d", 64), []string{"", unnamed, unnamed, "dddddddddddd", strings.Repeat("d", 64), unnamed}, false},
		{"/kubepods/pod" + strings.Repeat("a", 32), []string{"kube-system", "etcd-node7", strings.Repeat("a", 32), "", "", "etcd"}, true},
		{"/docker/" + pauseID, []string{"", "", "", "db", pauseID, "db"}, true},
		{"/docker/" + strings.Repeat("d", 64), []string{"", "", "", "dddddddddddd", strings.Repeat("d", 64), "dddddddddddd"}, false},
		{"/lxc.payload.web", []string{"", "", "", "web", "", "web"}, true},
		{"/system.slice/nginx.service", []string{"", "", "", "", "", ""}, true},
	} {
		d.machine.CgroupMade(uint64(i+2), tt.path)
		got, settled := d.Labels(group(uint64(i + 2)))
		if !slices.Equal(got, append([]string{tt.path}, tt.want...)) || settled != tt.settled {
			t.Errorf("%s: %q, settled %t", tt.path, got, settled)
		}
	}
	got, settled := d.Labels(group(1 << 40))
	if want := []string{"cgroup:1099511627776", "other", "other", "other", "other", "other", "other"}; !slices.Equal(got, want) || settled {
		t.Errorf("a group without a path: %q, settled %t", got, settled)
	}
}

// Names that a node has later are found when something is read again.
func TestNamesOfPodsThatCome(t *testing.T) {
	files := fstest.MapFS{"proc/version": {Data: []byte("Linux version 6.18.0 x")}}
	d := nodeDecoder(t, files)
	d.machine.CgroupMade(2, "/kubepods/pod"+podUID+"/"+containerID)
	if got, settled := d.Labels(group(2)); got[2] != podUID || settled {
		t.Errorf("without files the pod is %q, settled %t", got[2], settled)
	}
	maps.Copy(files, podFiles())
	d.machine.nodeNames.at = time.Now().Add(-2 * refresh)
	if got, settled := d.Labels(group(2)); got[1] != "prod" || got[4] != "nginx" || !settled {
		t.Errorf("later it is %q, settled %t", got, settled)
	}
}

func TestLifeOfCgroups(t *testing.T) {
	d := nodeDecoder(t, podFiles())
	m := d.machine
	m.cgroups.learn(2, "/before")
	m.CgroupMade(3, "/made")
	m.CgroupMade(4, "/removed")
	m.CgroupRemoved(4)
	m.CgroupMade(5, "/missed")
	m.CgroupsMissed() // none of them is in the files
	for key, want := range map[uint64]struct{ old, gone bool }{2: {true, true}, 3: {false, true}, 4: {false, true}, 5: {false, true}} {
		if age, gone := d.Life(group(key)); age > time.Hour != want.old || gone != want.gone {
			t.Errorf("group %d: age %v, gone %t", key, age, gone)
		}
	}
	m.CgroupMade(6, "/there")
	if age, gone := d.Life(group(6)); age > time.Hour || gone {
		t.Errorf("a group that is there: age %v, gone %t", age, gone)
	}
	for key := range uint64(3 * maxNames) {
		m.CgroupMade(key+10, "/x")
	}
	if n := len(m.lives.last) + len(m.lives.older); n > maxNames {
		t.Errorf("%d lives are remembered", n)
	}
}
