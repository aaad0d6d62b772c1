package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/checked"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

// runbooks are the sections of runbooks.md by the name of their alert.
func runbooks(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("runbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	return recipesOf(string(text))
}

var (
	commandLine = regexp.MustCompile(`(?m)^    \S.*$`)
	runLine     = regexp.MustCompile(`(?m)^    ply-exporter run -t \d+ '(.*)'$`)
)

// Each alert has a section and each section an alert, and says which line to type.
// For what a configuration measures that is a script.
func TestEachAlertHasARunbook(t *testing.T) {
	sections := runbooks(t)
	files, err := filepath.Glob("../dashboards/alerts/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no alerts: %v", err)
	}
	for _, file := range files {
		rules, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range alertName.FindAllStringSubmatch(string(rules), -1) {
			section, ok := sections[match[1]]
			delete(sections, match[1])
			wanted := runLine
			if filepath.Base(file) == "exporter.yaml" {
				wanted = commandLine
			}
			if !ok || !wanted.MatchString(section) {
				t.Errorf("%s has no section, or one without a line to type", match[1])
			}
		}
	}
	for name := range sections {
		t.Errorf("there is no alert %s", name)
	}
}

// The lines work on every kernel that has what they probe, without a warning.
func TestScriptsOfRunbooksCompile(t *testing.T) {
	for _, name := range recorded.Names() {
		k, err := kernel.Open(recorded.Files(name))
		if err != nil {
			t.Fatal(err)
		}
		for alert, section := range runbooks(t) {
			for _, match := range runLine.FindAllStringSubmatch(section, -1) {
				if script := match[1]; k.Has(kernel.Kprobe) || !strings.Contains(script, "kprobe:tcp") {
					compileRunbook(t, name+", "+alert, k, script)
				}
			}
		}
	}
}

func compileRunbook(t *testing.T, at string, k *kernel.Kernel, script string) {
	t.Helper()
	obj, err := bpfgen.Build(&plylang.Source{Text: string(checked.Programs(t, []byte(script)))}, k, bpfgen.Options{}, nil)
	if err != nil {
		t.Errorf("%s: %s", at, plylang.Detail(err))
		return
	}
	for _, w := range obj.Warnings {
		if checked.Warns("warning: " + w.Error()) {
			t.Errorf("%s: %v", at, w)
		}
	}
}
