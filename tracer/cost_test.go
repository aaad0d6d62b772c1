package tracer

import (
	"os"
	"path/filepath"
	"testing"
)

func TestIsOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bpf_stats_enabled")
	if isOn(file) {
		t.Error("a setting that this kernel lacks is on")
	}
	for text, want := range map[string]bool{"1\n": true, "0\n": false, "": false} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if isOn(file) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
