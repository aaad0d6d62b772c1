// Package tests has the test files of the configurations that come with the exporter.
package tests

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"ply-exporter/configs"
	"ply-exporter/internal/checked"
	"ply-exporter/internal/need"
)

//go:embed *.yaml
var files embed.FS

// The configurations that come with the exporter show what their test files expect.
func TestConfigurations(t *testing.T) {
	need.OneGuest(t)
	need.BPF(t)
	folder := t.TempDir() // guests have no files but the test
	copyFiles(t, folder, configs.Files)
	copyFiles(t, filepath.Join(folder, "tests"), files)
	names, err := fs.Glob(files, "*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			if said, status := checked.Command(t, "test", "-v", filepath.Join(folder, "tests", name)); status != 0 {
				t.Errorf("status %d\n%s", status, said)
			}
		})
	}
}

func copyFiles(t *testing.T, folder string, files fs.FS) {
	t.Helper()
	if err := os.CopyFS(folder, files); err != nil {
		t.Fatal(err)
	}
}
