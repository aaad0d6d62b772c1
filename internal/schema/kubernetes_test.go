package schema

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"ply-exporter/internal/promtest"
)

const (
	manifests = "../../deploy/kubernetes"
	base      = manifests + "/base"
	operator  = manifests + "/operator"
	plain     = manifests + "/plain-prometheus"
)

// A cluster is what kustomize makes of a folder. Only that with the operator has
// monitor and rules.
type cluster struct {
	namespace corev1.Namespace
	account   corev1.ServiceAccount
	config    corev1.ConfigMap
	service   corev1.Service
	daemonSet appsv1.DaemonSet
	monitor   *monitoringv1.PodMonitor
	rules     *monitoringv1.PrometheusRule
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
	if strings.Contains(dir, "operator") {
		c.monitor, c.rules = &monitoringv1.PodMonitor{}, &monitoringv1.PrometheusRule{}
		into["PodMonitor"], into["PrometheusRule"] = c.monitor, c.rules
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
	kinds := map[string]any{
		"namespace.yaml": &corev1.Namespace{}, "serviceaccount.yaml": &corev1.ServiceAccount{},
		"daemonset.yaml": &appsv1.DaemonSet{}, "service.yaml": &corev1.Service{},
		"podmonitor.yaml": &monitoringv1.PodMonitor{}, "prometheusrule.yaml": &monitoringv1.PrometheusRule{},
		"kustomization.yaml": &types.Kustomization{}, "Kustomization": &types.Kustomization{},
	}
	files, err := filepath.Glob(manifests + "/*/*.yaml")
	if err != nil || len(files) < 8 {
		t.Fatalf("%q %v", files, err)
	}
	for _, file := range append(files, "../../configs/Kustomization") {
		if file == plain+"/prometheus.yaml" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		object := kinds[filepath.Base(file)]
		if object == nil {
			t.Errorf("%s is not decoded", file)
			continue
		}
		decodeStrict(t, file, text, object)
	}
}

func TestKubernetesNamesAgree(t *testing.T) {
	c := build(t, base)
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
	c := build(t, base)
	port, service := c.container().Ports[0], c.service.Spec.Ports[0]
	if port.ContainerPort != 10759 || service.Port != 10759 {
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

// The configurations are those of configs/, where --config looks for them, but for
// the quickstart, and a change gets a new name.
func TestKubernetesConfiguration(t *testing.T) {
	c := build(t, base)
	files, err := filepath.Glob("../../configs/*.yaml")
	if err != nil || len(c.config.Data) != len(files)-1 {
		t.Errorf("the ConfigMap has %d files of %q (%v)", len(c.config.Data), files, err)
	}
	for name, text := range c.config.Data {
		want, err := os.ReadFile("../../configs/" + name)
		if err != nil || text != string(want) || name == quickstart {
			t.Errorf("%s of the ConfigMap is not that of configs: %v", name, err)
		}
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
	c := build(t, base)
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
	dir, err := os.MkdirTemp(".", "operator") // kustomize takes bases by relative paths only
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
	if c.config.Data["cpu.yaml"] == "" || !strings.Contains(probes, "quantize") || c.config.Data["probes.yaml"] != probes {
		t.Errorf("configuration %q", c.config.Data)
	}
	if !slices.Contains(c.container().SecurityContext.Capabilities.Add, "SYS_ADMIN") {
		t.Errorf("capabilities %q", c.container().SecurityContext.Capabilities.Add)
	}
	if c.daemonSet.Spec.Template.Spec.Volumes[0].ConfigMap.Name != c.config.Name {
		t.Error("the pods mount another ConfigMap")
	}
}

// A Prometheus without operator finds the pods by annotations, or by the job of
// prometheus.yaml, which names them the same way.
func TestKubernetesPlainPrometheus(t *testing.T) {
	c := build(t, plain)
	want := map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": "10759", "prometheus.io/path": "/metrics"}
	if !maps.Equal(c.service.Annotations, want) || c.container().Ports[0].ContainerPort != 10759 {
		t.Errorf("annotations %q", c.service.Annotations)
	}
	if len(build(t, base).service.Annotations) > 0 {
		t.Error("with the operator, pods would be scraped twice")
	}
	text, err := os.ReadFile(plain + "/prometheus.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// Debian's Prometheus is built without the discovery of Kubernetes.
	discovery := regexp.MustCompile(`kubernetes_sd_configs:\n.*`)
	if err := promtest.CheckConfig(t, discovery.ReplaceAllString(string(text), `static_configs: [{targets: ["a:1"]}]`)); err != nil {
		t.Error(err)
	}
	if !strings.Contains(string(text), "names: ["+c.daemonSet.Namespace+"]") || !strings.Contains(string(text), "regex: "+c.service.Name+",") {
		t.Error("prometheus.yaml looks elsewhere")
	}
}

func TestKubernetesPodMonitor(t *testing.T) {
	c := build(t, operator)
	if !maps.Equal(c.monitor.Spec.Selector.MatchLabels, c.daemonSet.Spec.Selector.MatchLabels) || c.monitor.Namespace != c.daemonSet.Namespace {
		t.Errorf("selector %v in %s", c.monitor.Spec.Selector, c.monitor.Namespace)
	}
	// The operator names the job by namespace and monitor, and alerts know it by its end.
	if e := c.monitor.Spec.PodMetricsEndpoints; len(e) != 1 || *e[0].Port != c.container().Ports[0].Name || c.monitor.Name != "ply-exporter" {
		t.Errorf("monitor %s, endpoints %+v", c.monitor.Name, e)
	}
}

func TestKubernetesSeccomp(t *testing.T) {
	c := overlay(t, map[string]string{"kustomization.yaml": "resources: [../" + operator + "]\ncomponents: [../" + manifests + "/seccomp]\n"})
	got := c.daemonSet.Spec.Template.Spec.SecurityContext.SeccompProfile
	if got.Type != corev1.SeccompProfileTypeLocalhost {
		t.Fatalf("profile %+v", got)
	}
	if _, err := os.Stat(filepath.Join(manifests, "seccomp", *got.LocalhostProfile)); err != nil {
		t.Error(err)
	}
}

// The component for pins mounts the folder that the exporter is told of, to be written to.
func TestKubernetesPins(t *testing.T) {
	c := overlay(t, map[string]string{"kustomization.yaml": "resources: [../" + operator + "]\ncomponents: [../" + manifests + "/pins]\n"})
	spec := c.daemonSet.Spec.Template.Spec
	volume, mount := spec.Volumes[len(spec.Volumes)-1], c.container().VolumeMounts[len(c.container().VolumeMounts)-1]
	if volume.Name != mount.Name || mount.ReadOnly || volume.HostPath == nil || volume.HostPath.Path != "/sys/fs/bpf/ply-exporter" {
		t.Errorf("volume %+v at %+v", volume, mount)
	}
	if !slices.Contains(c.container().Args, "--bpf.pin-path="+mount.MountPath) {
		t.Errorf("mounted at %s, arguments %q", mount.MountPath, c.container().Args)
	}
}
