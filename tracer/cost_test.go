package tracer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRefusedStatistics(t *testing.T) {
	if err := refusedStatistics(unix.EPERM); !strings.Contains(err.Error(), "CAP_SYS_ADMIN, or the setting kernel.bpf_stats_enabled=1") {
		t.Error(err)
	}
}

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
