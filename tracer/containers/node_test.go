package containers

import (
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"
)

// node has files like those of a kubelet with containerd, and of podman and docker.
func node() fstest.MapFS {
	link := func(to string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink} }
	long := strings.Repeat("p", 63)
	return fstest.MapFS{
		"var/log/pods/prod_web-6d4cf56db6-x2x9z_" + uid + "/nginx/0.log": {},
		"var/log/pods/kube-system_etcd-node_" + static + "/etcd/2.log":   {},
		"var/log/pods/readme": {},
		"var/log/containers/web-6d4cf56db6-x2x9z_prod_nginx-" + id + ".log": link("/var/log/pods/prod_web-6d4cf56db6-x2x9z_" + uid + "/nginx/0.log"),
		"var/log/containers/gone_prod_" + long + "-" + other[:20] + ".log":  link("/data/pods/prod_gone_aaaa/" + long + "/0.log"),
		"var/log/containers/odd-" + other + ".log":                          link("/tmp/x.log"),
		"var/log/containers/file-" + other + ".log":                         {},
		"var/lib/docker/containers/" + id + "/config.v2.json":               {Data: []byte(`{"State":{"Running":true},"Name":"/shop-db-1"}`)},
		"var/lib/docker/containers/" + other + "/config.v2.json":            {Data: []byte(`{"Name":`)},
		"var/lib/containers/storage/overlay-containers/containers.json": {Data: []byte(`[
			{"id": "a1", "names": ["web"], "layer": "x"}, {"id": "a2", "names": ["k8s_app_pod_ns_uid_0"]},
			{"id": "a3", "names": ["k8s_POD_pod_ns_uid_0"]}, {"id": "a4"}]`)},
	}
}

func TestReadNames(t *testing.T) {
	want := map[string]string{
		uid: "prod_web-6d4cf56db6-x2x9z", static: "kube-system_etcd-node", id: "nginx", "aaaa": "prod_gone",
		"a1": "web", "a2": "app",
	}
	if got := ReadNames(node(), 100); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := ReadNames(node(), 2); len(got) != 2 {
		t.Errorf("%v are more than two", got)
	}
	if got := ReadNames(fstest.MapFS{}, 100); len(got) != 0 {
		t.Errorf("no files have %v", got)
	}
}

func TestDockerName(t *testing.T) {
	for of, want := range map[string]string{id: "shop-db-1", other: "", "none": ""} {
		if got := DockerName(node(), of); got != want {
			t.Errorf("%.8s is %q, want %q", of, got, want)
		}
	}
}
