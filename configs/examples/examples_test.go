// Package examples has the examples of other tracers, as configurations: those of
// ebpf_exporter, and tools of bpftrace. NAME.yaml is an example, with metrics
// ply_NAME_…, and tests/NAME.yaml a test file that makes its events happen. An
// example that both projects have under one name is one file.
package examples

import (
	"embed"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ply-exporter/exporter/config"
	"ply-exporter/internal/checked"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

//go:embed *.yaml
var files embed.FS

//go:embed tests/*.yaml
var testFiles embed.FS

// An example is a file of this folder.
type example struct {
	name    string // without .yaml
	text    string
	scripts []*config.Script
}

func examples(t *testing.T) []example {
	t.Helper()
	return parsed(t, func(text []byte) []byte { return text })
}

// runnable are the same, which need no programs of this machine.
func runnable(t *testing.T) []example {
	t.Helper()
	return parsed(t, func(text []byte) []byte { return checked.Programs(t, text) })
}

func parsed(t *testing.T, change func([]byte) []byte) (all []example) {
	t.Helper()
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range names {
		text, err := files.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Parse(file, change(text))
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		all = append(all, example{strings.TrimSuffix(file, ".yaml"), string(text), cfg.Scripts})
	}
	return all
}

// ofPrograms says whether an example looks into programs, which no guest has.
func (e example) ofPrograms() bool {
	return strings.Contains(e.text, "probe:lib") || strings.Contains(e.text, "probe:/") || strings.Contains(e.text, "usdt:")
}

const maxLines = 10

// Scripts are short and in canonical spelling.
func TestScriptsOfExamples(t *testing.T) {
	for _, e := range examples(t) {
		for _, s := range e.scripts {
			got, err := plylang.Format(s.Source)
			if err != nil || strings.TrimSpace(got) != strings.TrimSpace(s.Source.Text) {
				t.Errorf("%s: script %s is written\n%s\nand formatted\n%s", e.name, s.Name, s.Source.Text, got)
			}
			if n := codeLines(s.Source.Text); n > maxLines {
				t.Errorf("%s: script %s has %d lines, more than %d", e.name, s.Name, n, maxLines)
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

// facts are what the comment at the head of a file must say, in this order.
var facts = regexp.MustCompile(`(?s)\n#\n# Series: .*\.\n# Kernels: .*\n# Labels that a local user can choose: `)

func TestHeadsOfExamples(t *testing.T) {
	for _, e := range examples(t) {
		if head, _, _ := strings.Cut(e.text, "scripts:"); !facts.MatchString(head) {
			t.Errorf("%s: the head does not match %v", e.name, facts)
		}
	}
}

// All of X.yaml begins with X, so that all files can be loaded together.
func TestNamesOfExamples(t *testing.T) {
	of := map[string]string{}
	for _, e := range examples(t) {
		for _, s := range e.scripts {
			if s.Name != e.name && !strings.HasPrefix(s.Name, e.name+"_") {
				t.Errorf("%s: script %s is not called %s_…", e.name, s.Name, e.name)
			}
			if other, twice := of[s.Name]; twice {
				t.Errorf("%s: script %s is in %s, too", e.name, s.Name, other)
			}
			of[s.Name] = e.name
		}
	}
}

// The page for users of the other tracer names every example, and those that
// cannot be fed.
func TestExamplesAreDocumented(t *testing.T) {
	var pages strings.Builder
	for _, page := range []string{"from-ebpf_exporter.md", "from-bpftrace.md"} {
		text, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		pages.Write(text)
	}
	for _, e := range examples(t) {
		row := regexp.MustCompile(`(?m)^.*\(\.\./configs/examples/`+e.name+`\.yaml\).*$`).FindAllString(pages.String(), -1)
		if len(row) == 0 {
			t.Errorf("no page of docs names %s.yaml", e.name)
		}
		if slices.Contains(unfed, e.name) && !strings.Contains(strings.Join(row, "\n"), "| no: ") {
			t.Errorf("no page of docs says that %s.yaml is not fed", e.name)
		}
	}
}

// Every script compiles for every recorded kernel, but for those that it cannot
// run on, and without a warning.
func TestExamplesCompile(t *testing.T) {
	metrics := map[string]string{} // the example that has it
	for _, release := range recorded.Names() {
		b := checked.Backend(t, release)
		for _, e := range runnable(t) {
			for _, s := range e.scripts {
				said, err := checked.Scripts(b, s)
				missing := isAbsent(s.Name, release) || strings.Contains(checked.Detail(err), "this kernel has no kprobes")
				if (err != nil) != missing {
					t.Errorf("kernel %s, script %s: absent is %v, want %v\n%s", release, s.Name, err != nil, missing, checked.Detail(err))
				}
				if checked.Warns(said) {
					t.Errorf("kernel %s, %s:\n%s", release, e.name, said)
				}
				for _, m := range metricLine.FindAllStringSubmatch(said, -1) {
					if !strings.HasPrefix(m[1], "ply_"+e.name+"_") {
						t.Errorf("%s: metric %s is not called ply_%s_…", e.name, m[1], e.name)
					}
					metrics[m[1]] = e.name
				}
			}
		}
	}
	checkExpected(t, metrics)
}

// metricLine is how check begins to describe a metric.
var metricLine = regexp.MustCompile(`(?m)^    (\w+)(?:\{.*\})? (?:counter|gauge|histogram|summary)`)

// checkExpected looks for each metric in the test file of its example, with a
// value or a lower bound that is not 0.
func checkExpected(t *testing.T, metrics map[string]string) {
	t.Helper()
	for metric, name := range metrics {
		if slices.Contains(unfed, name) {
			continue
		}
		expected := regexp.MustCompile(`series: '?` + metric + `(_count|_sum|_bucket)?(\{.*\}')?, (value|min): [^0]`)
		if text := testFile(t, name); !expected.MatchString(text) {
			t.Errorf("tests/%s.yaml does not expect %s to be anything but 0", name, metric)
		}
	}
}

func testFile(t *testing.T, name string) string {
	t.Helper()
	text, err := testFiles.ReadFile("tests/" + name + ".yaml")
	if err != nil {
		t.Error(err)
	}
	return string(text)
}
