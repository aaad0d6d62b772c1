package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// Every configuration in the documentation is one, and its scripts are scripts.
func TestConfigurationsInTheDocumentation(t *testing.T) {
	files, err := filepath.Glob("*.md")
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
	if strings.Contains(text, "\ntests:") {
		return // cli runs those
	}
	if strings.HasPrefix(text, "  - name:") { // one script, shown without the line above it
		text = "scripts:\n" + text
	}
	cfg, err := config.Parse(file, []byte(text))
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
