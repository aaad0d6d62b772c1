package configs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ply-exporter/configs"
)

// Editors find the schema of a file by its first line.
func TestFilesNameTheirSchema(t *testing.T) {
	for pattern, schema := range map[string]string{
		"*.yaml": "./probes.schema.json", "examples/*.yaml": "../probes.schema.json", "tests/*.yaml": "../test.schema.json",
	} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if want := "# yaml-language-server: $schema=" + schema + "\n"; !strings.HasPrefix(string(text), want) {
				t.Errorf("%s does not begin with the line %s", file, want)
			}
		}
	}
}

// The schema of test files has what it refers to.
func TestTestSchemaIsWhole(t *testing.T) {
	text := configs.TestSchema()
	var schema struct{ Definitions map[string]any }
	if err := json.Unmarshal([]byte(text), &schema); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"scripts", "bound", "expectation"} {
		if schema.Definitions[name] == nil {
			t.Errorf("no definition of %s", name)
		}
	}
	if strings.Contains(text, "schema.json#/") {
		t.Error("it refers to another file")
	}
}
