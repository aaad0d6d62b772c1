package containers

import (
	"testing"
)

func TestWorkload(t *testing.T) {
	for _, tt := range []struct{ what, pod, want string }{
		{"Deployment", "coredns-6d4cf56db6-x2x9z", "coredns"},
		{"Deployment, a short hash", "web-79b4c6-x2x9z", "web"},
		{"Deployment, hyphens", "ingress-nginx-controller-6858749594-27blm", "ingress-nginx-controller"},
		{"Deployment, digits only", "web-5764698449-mv2xk", "web"},
		{"DaemonSet", "kube-proxy-4x8zr", "kube-proxy"},
		{"DaemonSet, a name like a hash, but too short", "api-cafd-4x8zr", "api-cafd"},
		{"ReplicaSet", "web-x2x9z", "web"},
		{"CronJob", "backup-29401230-wq7kp", "backup"},
		{"Job", "migrate-vl9xd", "migrate"},
		{"Job, indexed", "train-3-vl9xd", "train-3"},
		{"StatefulSet", "db-0", "db"},
		{"StatefulSet, many", "db-1234", "db"},
		{"a static pod", "etcd-control-plane", "etcd-control-plane"},
		{"a static pod, a node with a number", "etcd-node-1", "etcd-node"},
		{"a vowel is not random", "web-queen", "web-queen"},
		{"1 and 3 are not random", "web-x1x3z", "web-x1x3z"},
		{"a pod of nobody", "debug", "debug"},
		{"a suffix alone", "x2x9z", "x2x9z"},
		{"nothing", "", ""},
	} {
		if got := Workload(tt.pod); got != tt.want {
			t.Errorf("%s: %s belongs to %q, want %q", tt.what, tt.pod, got, tt.want)
		}
	}
}
