package configs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// The configurations that come with the exporter are in canonical spelling.
func TestShippedConfigurationsAreFormatted(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no configurations: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Parse(file, text)
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		for _, s := range cfg.Scripts {
			got, err := plylang.Format(s.Source)
			if err != nil || strings.TrimSpace(got) != strings.TrimSpace(s.Source.Text) {
				t.Errorf("%s: script %s is written\n%s\nand formatted\n%s", file, s.Name, s.Source.Text, got)
			}
		}
	}
}
