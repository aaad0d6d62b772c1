package golden

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/internal/checked"
)

// configured are the scripts of the configurations that come with the program.
func configured(t *testing.T) (all []script) {
	t.Helper()
	files, err := filepath.Glob("../../configs/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no configurations: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Parse(file, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range cfg.Scripts {
			all = append(all, script{fmt.Sprintf("%s: %s", filepath.Base(file), s.Name), export(s)})
		}
	}
	return all
}

// export compiles a script as the exporter does, with the options that the
// metrics of its configuration ask for.
func export(s *config.Script) func(*kernel.Kernel, bool) (*object.Object, error) {
	return func(k *kernel.Kernel, plain bool) (*object.Object, error) {
		return checked.Object(exporter.NewBackend(k, slog.New(slog.DiscardHandler), plain), s)
	}
}
