package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ply-exporter/exporter"
	"ply-exporter/plylang"
)

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// Every configuration in the documentation is one, and its scripts are scripts.
func TestConfigurationsInTheDocumentation(t *testing.T) {
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for _, file := range append(files, "../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range yamlBlock.FindAllSubmatch(text, -1) {
			blocks++
			checkDocumentedConfiguration(t, file, string(match[1]))
		}
	}
	if blocks < 4 {
		t.Errorf("only %d configurations were found", blocks)
	}
}

func checkDocumentedConfiguration(t *testing.T, file, text string) {
	t.Helper()
	if strings.HasPrefix(text, "  - name:") { // one script, shown without the line above it
		text = "scripts:\n" + text
	}
	cfg, err := exporter.Parse(file, []byte(text))
	if err != nil {
		t.Errorf("%s: %s", file, plylang.Detail(err))
		return
	}
	for _, s := range cfg.Scripts {
		if _, err := plylang.Parse(s.Source); err != nil {
			t.Errorf("%s: %s", file, plylang.Detail(err))
		}
	}
}

// helpFlag is a flag in what --help prints: "  -t, --time=SECONDS", "      --[no-]strict".
var helpFlag = regexp.MustCompile(`(?m)^  (-\w,|   ) --(?:\[no-])?([a-z][a-z.-]*)`)

// Every flag is in the documentation of its command, by its short name where it has one.
func TestFlagsInTheDocumentation(t *testing.T) {
	for command, file := range map[string]string{
		"serve": "../docs/configuration.md", "check": "../docs/configuration.md",
		"run": "../docs/run.md", "list": "../docs/run.md", "fmt": "../docs/run.md",
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		flags := helpFlag.FindAllStringSubmatch(ply(t, command, "--help").stdout, -1)
		if len(flags) < 3 {
			t.Errorf("%s --help shows only the flags %q", command, flags)
		}
		for _, f := range flags {
			name := strings.TrimRight(f[1], ", ")
			if name == "" {
				name = "--" + f[2]
			}
			if !slices.Contains([]string{"-h", "--version"}, name) && !regexp.MustCompile(`[\x60 ]`+name+`[\x60= ]`).Match(text) {
				t.Errorf("%s does not tell of %s %s", file, command, name)
			}
		}
	}
}
