package configs_test

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ply-exporter/configs"
	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/internal/checked"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

// shipped are the configurations that come with the exporter, by file.
func shipped(t *testing.T) map[string]*config.Config {
	t.Helper()
	return parsed(t, func(text []byte) []byte { return text })
}

// runnable are the same, which need no programs of this machine.
func runnable(t *testing.T) map[string]*config.Config {
	t.Helper()
	return parsed(t, func(text []byte) []byte { return checked.Programs(t, text) })
}

func parsed(t *testing.T, change func([]byte) []byte) map[string]*config.Config {
	t.Helper()
	all := map[string]*config.Config{}
	for _, file := range configs.Names() {
		cfg, err := config.Parse(file, change(textOf(t, file)))
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		all[file] = cfg
	}
	return all
}

func textOf(t *testing.T, file string) []byte {
	t.Helper()
	text, err := configs.Files.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The configurations that come with the exporter are in canonical spelling.
func TestShippedConfigurationsAreFormatted(t *testing.T) {
	for file, cfg := range shipped(t) {
		for _, s := range cfg.Scripts {
			got, err := plylang.Format(s.Source)
			if err != nil || strings.TrimSpace(got) != strings.TrimSpace(s.Source.Text) {
				t.Errorf("%s: script %s is written\n%s\nand formatted\n%s", file, s.Name, s.Source.Text, got)
			}
		}
	}
}

// quickstart is older than the rules of names and lengths, and dashboards know
// its names.
const quickstart = "quickstart.yaml"

// labels are all labels of the configurations: one thing has one name.
var labels = []string{
	"syscall", "device", "operation", "errno", "cgroup", "reason", "kind", "interface", "filesystem", "signal", "interrupt",
	"capability", "module", "family", "state", "caller", "program", "function", "kernel_function", "generation", "port", "uid", "victim", "namespace", "workload", "pod", "container",
}

// All of X.yaml begins with X, so that any files can be loaded together.
func TestNamesOfShippedConfigurations(t *testing.T) {
	b := checked.Backend(t, "7.3-amd64")
	for file, cfg := range runnable(t) {
		if file == quickstart {
			continue
		}
		name := strings.TrimSuffix(path.Base(file), ".yaml")
		for _, s := range cfg.Scripts {
			if s.Name != name && !strings.HasPrefix(s.Name, name+"_") {
				t.Errorf("%s: script %s is not called %s_…", file, s.Name, name)
			}
			checkMetrics(t, b, name, s)
		}
	}
}

func checkMetrics(t *testing.T, b exporter.Backend, name string, s *config.Script) {
	t.Helper()
	found, err := checked.Metrics(b, s)
	if err != nil || len(found) == 0 {
		t.Errorf("script %s has no metrics: %s", s.Name, checked.Detail(err))
	}
	for _, m := range found {
		if !strings.HasPrefix(m.Name, "ply_"+name+"_") {
			t.Errorf("script %s: metric %s is not called ply_%s_…", s.Name, m.Name, name)
		}
		for _, label := range m.Labels {
			if !slices.Contains(labels, label) {
				t.Errorf("script %s: %s has the label %q, which is none of %q", s.Name, m.Name, label, labels)
			}
		}
	}
}

const maxLines = 10

// A script of more lines needs more than a glance.
func TestShippedScriptsAreShort(t *testing.T) {
	for file, cfg := range shipped(t) {
		for _, s := range cfg.Scripts {
			if n := codeLines(s.Source.Text); n > maxLines && file != quickstart {
				t.Errorf("%s: script %s has %d lines, more than %d", file, s.Name, n, maxLines)
			}
		}
	}
}

// codeLines counts the lines that are neither empty nor a comment.
func codeLines(script string) (n int) {
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			n++
		}
	}
	return n
}

// In a container, pid and tid of all tasks outside it are 0: what several of them
// do at the same time would be one's. curtask and elapsed tell them apart.
func TestShippedScriptsTellTasksOutsideAPIDNamespaceApart(t *testing.T) {
	byID := regexp.MustCompile(`\[([^\]]*,)?\s*(tid|pid)\s*[,\]]`)
	for file, cfg := range shipped(t) {
		for _, s := range cfg.Scripts {
			if key := byID.FindString(s.Source.Text); key != "" {
				t.Errorf("%s: script %s has the key %s", file, s.Name, key)
			}
		}
	}
}

// absent are the scripts that a recorded kernel cannot run. There only they are
// missing.
var absent = map[string][]string{
	"6.12-arm64": {"interrupts_processor", "malloc", "malloc_mapped"}, // tracepoints and registers of x86
}

// Every script compiles for every recorded kernel, but for those that it cannot
// run, and without a warning.
func TestShippedConfigurationsCompile(t *testing.T) {
	for _, release := range recorded.Names() {
		b := checked.Backend(t, release)
		for file, cfg := range runnable(t) {
			for _, s := range cfg.Scripts {
				said, err := checked.Scripts(b, s)
				missing := slices.Contains(absent[release], s.Name)
				if (err != nil) != missing {
					t.Errorf("kernel %s, %s, script %s: absent is %v, want %v\n%s", release, file, s.Name, err != nil, missing, checked.Detail(err))
				}
				if checked.Warns(said) {
					t.Errorf("kernel %s, %s:\n%s", release, file, said)
				}
			}
		}
	}
}

// All files together, quickstart included, have no name twice, and those that need no
// program run.
func TestShippedConfigurationsTogether(t *testing.T) {
	cfg, err := config.Load([]string{".", "userspace"})
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	n := 0
	for _, one := range shipped(t) {
		n += len(one.Scripts)
	}
	if n != len(cfg.Scripts) {
		t.Errorf("the folders have %d scripts, their files %d", len(cfg.Scripts), n)
	}
	if cfg, err = config.Load([]string{"."}); err != nil {
		t.Fatal(plylang.Detail(err))
	}
	if _, err := checked.Scripts(checked.Backend(t, "7.3-amd64"), cfg.Scripts...); err != nil {
		t.Error(plylang.Detail(err))
	}
}

// facts are what the comment at the head of a file must say, in this order.
var facts = regexp.MustCompile(`(?s)\n#\n# Series: at most ([\d,]+); about [\d,]+ on a machine with 64 CPUs[^.]*\.` +
	`\n# Cost: .*\n# Kernels: .*\n# Labels that a local user can choose: `)

var atMost = regexp.MustCompile(`all scripts together: at most ([\d,]+) series`)

// The head of a file says what it costs. Its largest number of series is what
// check --cpus 64 says.
func TestHeadsOfShippedConfigurations(t *testing.T) {
	b := checked.Backend(t, "7.3-amd64")
	b.AssumeCPUs(64)
	for file, cfg := range runnable(t) {
		said, err := checked.Scripts(b, cfg.Scripts...)
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		comment, _, _ := strings.Cut(string(textOf(t, file)), "scripts:")
		head := facts.FindStringSubmatch(comment)
		if want := atMost.FindStringSubmatch(said); head == nil || head[1] != want[1] {
			t.Errorf("%s: the head does not match %v with at most %s series", file, facts, want[1])
		}
	}
}
