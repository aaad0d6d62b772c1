package schema

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const manifests = "../../deploy/kubernetes"

// A cluster is what kustomize makes of a folder.
type cluster struct {
	namespace corev1.Namespace
	account   corev1.ServiceAccount
	config    corev1.ConfigMap
	service   corev1.Service
	daemonSet appsv1.DaemonSet
}

// decodeStrict accepts what an API server does: yaml.UnmarshalStrict would take
// hostPid for hostPID.
func decodeStrict(t *testing.T, name string, text []byte, into any) {
	t.Helper()
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	faults, err := json.UnmarshalStrict(asJSON, into)
	if err != nil || len(faults) > 0 {
		t.Errorf("%s: %v %v", name, err, faults)
	}
}

// build runs kustomize and decodes its output strictly: a key that Kubernetes
// does not know is an error.
func build(t *testing.T, dir string) *cluster {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{}
	into := map[string]any{
		"Namespace": &c.namespace, "ServiceAccount": &c.account, "ConfigMap": &c.config,
		"Service": &c.service, "DaemonSet": &c.daemonSet,
	}
	for _, r := range resources.Resources() {
		object := into[r.GetKind()]
		if object == nil {
			t.Fatalf("%s comes twice, or is new to this test", r.GetKind())
		}
		delete(into, r.GetKind())
		decodeStrict(t, r.GetKind(), []byte(r.MustYaml()), object)
	}
	for kind := range into {
		t.Fatalf("no %s", kind)
	}
	return c
}

func (c *cluster) container() *corev1.Container { return &c.daemonSet.Spec.Template.Spec.Containers[0] }

// kustomize keeps only the last of a key that stands in a file twice, so the
// files are decoded by themselves, too; its own it reads strictly.
func TestManifestsAreStrict(t *testing.T) {
	into := map[string]any{
		"namespace.yaml": &corev1.Namespace{}, "serviceaccount.yaml": &corev1.ServiceAccount{},
		"daemonset.yaml": &appsv1.DaemonSet{}, "service.yaml": &corev1.Service{},
		"kustomization.yaml": &types.Kustomization{}, "sys-admin/kustomization.yaml": &types.Kustomization{},
		"../../configs/Kustomization": &types.Kustomization{},
	}
	for file, object := range into {
		text, err := os.ReadFile(filepath.Join(manifests, file))
		if err != nil {
			t.Fatal(err)
		}
		decodeStrict(t, file, text, object)
	}
	files, err := filepath.Glob(manifests + "/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if into[filepath.Base(file)] == nil {
			t.Errorf("%s is not decoded", file)
		}
	}
}

func TestKubernetesNamesAgree(t *testing.T) {
	c := build(t, manifests)
	pod := c.daemonSet.Spec.Template
	const name = "ply-exporter"
	for what, got := range map[string]string{
		"namespace": c.namespace.Name, "service account": c.account.Name, "daemon set": c.daemonSet.Name,
		"account of the pod": pod.Spec.ServiceAccountName, "namespace of the daemon set": c.daemonSet.Namespace,
		"namespace of the service": c.service.Namespace, "namespace of the configuration": c.config.Namespace,
		"namespace of the account": c.account.Namespace,
		"label of the pod":         pod.Labels["app.kubernetes.io/name"],
		"selector":                 c.daemonSet.Spec.Selector.MatchLabels["app.kubernetes.io/name"],
		"selector of the service":  c.service.Spec.Selector["app.kubernetes.io/name"],
	} {
		if got != name {
			t.Errorf("%s is %q", what, got)
		}
	}
	if len(c.daemonSet.Spec.Selector.MatchLabels) != 1 || len(c.service.Spec.Selector) != 1 {
		t.Error("a selector asks for more than the name")
	}
}

func TestKubernetesPortsAgree(t *testing.T) {
	c := build(t, manifests)
	port, service := c.container().Ports[0], c.service.Spec.Ports[0]
	if port.ContainerPort != 10759 || service.Port != 10759 || c.service.Annotations["prometheus.io/port"] != "10759" {
		t.Errorf("ports %+v, %+v", port, service)
	}
	if !slices.Contains(c.container().Args, "--web.listen-address=:10759") {
		t.Errorf("the port is not that of %q", c.container().Args)
	}
	for what, got := range map[string]string{
		"service": service.TargetPort.StrVal, "liveness probe": c.container().LivenessProbe.HTTPGet.Port.StrVal,
		"readiness probe": c.container().ReadinessProbe.HTTPGet.Port.StrVal,
	} {
		if got != port.Name {
			t.Errorf("%s asks for port %q", what, got)
		}
	}
	if c.service.Spec.ClusterIP != corev1.ClusterIPNone {
		t.Error("the service is not headless: a scrape would reach any one of the pods")
	}
}

// The configuration is that of configs/, where --config looks for it, and a new
// one gets a new name.
func TestKubernetesConfiguration(t *testing.T) {
	c := build(t, manifests)
	want, err := os.ReadFile("../../configs/quickstart.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.config.Data) != 1 || c.config.Data["quickstart.yaml"] != string(want) {
		t.Error("the ConfigMap does not hold configs/quickstart.yaml alone")
	}
	if !strings.HasPrefix(c.config.Name, "ply-exporter-") {
		t.Errorf("the ConfigMap's name %s has no hash", c.config.Name)
	}
	mounted := ""
	for _, v := range c.daemonSet.Spec.Template.Spec.Volumes {
		for _, m := range c.container().VolumeMounts {
			if m.Name == v.Name && v.ConfigMap != nil && v.ConfigMap.Name == c.config.Name && m.ReadOnly {
				mounted = m.MountPath
			}
		}
	}
	if mounted == "" || !slices.Contains(c.container().Args, "--config="+mounted) {
		t.Errorf("the ConfigMap is at %q, the arguments are %q", mounted, c.container().Args)
	}
}

func TestKubernetesPrivileges(t *testing.T) {
	c := build(t, manifests)
	pod, security := c.daemonSet.Spec.Template.Spec, c.container().SecurityContext
	if !pod.HostPID || pod.HostNetwork || pod.HostIPC || security.Privileged != nil {
		t.Error("of the host, the pod gets its processes and nothing else")
	}
	if !*security.ReadOnlyRootFilesystem || *security.AllowPrivilegeEscalation || *security.RunAsUser != 0 {
		t.Errorf("%+v", security)
	}
	if *pod.AutomountServiceAccountToken || *c.account.AutomountServiceAccountToken {
		t.Error("a token for the API server is mounted")
	}
	for _, m := range c.container().VolumeMounts {
		if !m.ReadOnly {
			t.Errorf("%s is mounted for writing", m.MountPath)
		}
	}
	if !slices.Equal(security.Capabilities.Drop, []corev1.Capability{"ALL"}) ||
		!slices.Equal(security.Capabilities.Add, []corev1.Capability{"BPF", "PERFMON", "SYSLOG"}) {
		t.Errorf("capabilities %+v", security.Capabilities)
	}
}

// overlay is what docs/kubernetes.md tells people to write.
func overlay(t *testing.T, files map[string]string) *cluster {
	t.Helper()
	dir, err := os.MkdirTemp(".", "overlay") // kustomize takes bases by relative paths only
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return build(t, dir)
}

// documented returns the block of code in docs/kubernetes.md that begins with
// mark; indent is before each of its lines.
func documented(t *testing.T, mark, indent string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), indent+mark)
	if !found {
		t.Fatalf("docs/kubernetes.md has no block that begins with %q", mark)
	}
	code := mark
	for line := range strings.Lines(rest) {
		line, inside := strings.CutPrefix(line, indent)
		if code != mark && !inside || strings.HasPrefix(line, "```") {
			break
		}
		code += line
	}
	return code
}

func TestKubernetesOverlayOfTheDocumentation(t *testing.T) {
	probes := documented(t, "# probes.yaml", "")
	kustomization := strings.ReplaceAll(documented(t, "# kustomization.yaml", "    "), "../ply-exporter/", "../../../")
	c := overlay(t, map[string]string{"kustomization.yaml": kustomization, "probes.yaml": probes})
	if c.container().Image != "registry.example.com/ply-exporter:v1" {
		t.Errorf("image %s", c.container().Image)
	}
	if len(c.config.Data) != 2 || !strings.Contains(probes, "quantize") || c.config.Data["probes.yaml"] != probes {
		t.Errorf("configuration %q", c.config.Data)
	}
	if !slices.Contains(c.container().SecurityContext.Capabilities.Add, "SYS_ADMIN") {
		t.Errorf("capabilities %q", c.container().SecurityContext.Capabilities.Add)
	}
	if c.daemonSet.Spec.Template.Spec.Volumes[0].ConfigMap.Name != c.config.Name {
		t.Error("the pods mount another ConfigMap")
	}
}
