package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ply-exporter/internal/conformance"
)

// scripts returns all scripts of the project, each under a name of its own.
func scripts(t *testing.T) []script {
	t.Helper()
	var all []script
	for _, r := range records(t) {
		name := fmt.Sprintf("%s: %s", strings.TrimSuffix(filepath.Base(r.File), ".txt"), r.Name)
		all = append(all, script{name, build(r.Prog, r.Args)})
	}
	all = append(all, snippets(t)...)
	return append(all, configured(t)...)
}

// records are those of every architecture.
func records(t *testing.T) (all []*conformance.Record) {
	t.Helper()
	files, err := filepath.Glob("../conformance/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no records: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found, err := conformance.Parse(file, string(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

// snippet is a script of the reference.
var snippet = regexp.MustCompile("(?ms)^```ply ?[a-z]*\n(.*?)^```$")

// snippets are the scripts of the reference. Each is called by how it begins,
// so that the text around it may change.
func snippets(t *testing.T) (all []script) {
	t.Helper()
	text, err := os.ReadFile("../../docs/language.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, m := range snippet.FindAllStringSubmatch(string(text), -1) {
		name := "language.md: " + beginning(m[1])
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s (%d)", name, seen[name])
		}
		all = append(all, script{name, build(m[1], []string{"dd"})})
	}
	return all
}

// beginning is the script without comments on one line, cut where it is long.
func beginning(text string) string {
	var words []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			words = append(words, strings.Fields(line)...)
		}
	}
	short := strings.Join(words, " ")
	return short[:min(len(short), 70)]
}

// params answers $1, $2 …, $target and the environment variables that scripts
// of the project use, the same on every machine.
func params(args []string) func(string) (string, bool) {
	known := map[string]string{"target": "1", "HOME": "/root", "PATH": "/usr/bin:/bin"}
	for i, arg := range args {
		known[strconv.Itoa(i+1)] = arg
	}
	return func(name string) (string, bool) {
		value, ok := known[name]
		return value, ok
	}
}
