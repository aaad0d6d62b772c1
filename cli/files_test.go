package cli

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ply-exporter/internal/need"
)

// However few files may be open, the message is about that, and no script runs
// in a worse way because of it.
func TestFewOpenFiles(t *testing.T) {
	need.BPF(t)
	for _, limit := range []int{12, 16, 24, 32, 48, 64} {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // enough files for all scripts: it serves
		args := []string{"-c", fmt.Sprintf(`ulimit -n %d; exec "$@"`, limit), "sh", programForAll(t), "--strict", "--web.listen-address", freeAddress(t)}
		cmd := exec.CommandContext(ctx, "sh", args...)
		cmd.Env = append(cmd.Environ(), asCommand+"=ply-exporter")
		var errs strings.Builder
		cmd.Stderr = &errs
		_ = cmd.Run()
		cancel()
		text := errs.String()
		for _, wrong := range []string{"this is a bug", "requires >=", "can lose events"} {
			if strings.Contains(text, wrong) {
				t.Errorf("limit %d: %q in\n%s", limit, wrong, text)
			}
		}
		if limit <= 24 && !strings.Contains(text, "too many open files") {
			t.Errorf("limit %d: not said that there are too many open files:\n%s", limit, text)
		}
		t.Logf("limit %d: %s", limit, text[max(0, len(text)-400):])
	}
}
