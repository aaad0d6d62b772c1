package promtest

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

// CheckMetrics runs promtool check metrics over the text of a scrape. It
// complains about everything that promtool says, not only about what makes it
// fail.
func CheckMetrics(t testing.TB, text string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, need.Command(t, "promtool"), "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	said, err := cmd.CombinedOutput()
	if err != nil || len(said) > 0 {
		return fmt.Errorf("promtool check metrics: %s", said)
	}
	return nil
}
