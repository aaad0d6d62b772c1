package configs_test

import (
	"path/filepath"
	"strings"
	"testing"

	"ply-exporter/internal/checked"
	"ply-exporter/internal/need"
)

// tooLarge is that whose program is too large to be installed for a test.
const tooLarge = "java.yaml"

// The configurations that look into programs show what their test files expect. They run
// where the programs are: guest kernels have none.
func TestUserspace(t *testing.T) {
	need.BPF(t)
	files, err := filepath.Glob("userspace/tests/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			said, status := checked.Command(t, "test", "-v", name)
			if status != 0 {
				t.Errorf("status %d\n%s", status, said)
			}
			if strings.Contains(said, "--- SKIP") && filepath.Base(name) != tooLarge {
				need.Command(t, "/usr/bin/python3")
				need.Command(t, "/usr/bin/psql")
				t.Errorf("tests are skipped\n%s", said)
			}
		})
	}
}
