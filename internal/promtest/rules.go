package promtest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"ply-exporter/internal/need"
)

// CheckRules runs promtool check rules over the text of a rule file.
func CheckRules(t testing.TB, rules string) error {
	t.Helper()
	return promtool(t, need.Command(t, "promtool"), map[string]string{"rules.yml": rules}, "check", "rules", "rules.yml")
}

// CheckConfig runs promtool check config over the text of a configuration.
func CheckConfig(t testing.TB, config string) error {
	t.Helper()
	return promtool(t, need.Command(t, "promtool"), map[string]string{"prometheus.yml": config}, "check", "config", "prometheus.yml")
}

// TestRules runs promtool test rules: tests is the text of a test file whose
// rule_files is [rules.yml].
func TestRules(t testing.TB, rules, tests string) error {
	t.Helper()
	return testRules(t, need.Command(t, "promtool"), rules, tests)
}

// TestNativeRules is TestRules for tests that have native histograms. Where the promtool on PATH
// does not know them, one that does is fetched.
func TestNativeRules(t testing.TB, rules, tests string) error {
	t.Helper()
	command := need.Command(t, "promtool")
	if version, err := exec.Command(command, "--version").CombinedOutput(); err != nil || bytes.Contains(version, []byte("version 2.")) {
		command = fetched(t, "promtool", "2.47")
	}
	return testRules(t, command, rules, tests)
}

func testRules(t testing.TB, command, rules, tests string) error {
	t.Helper()
	return promtool(t, command, map[string]string{"rules.yml": rules, "tests.yml": tests}, "test", "rules", "tests.yml")
}

// promtool runs a promtool in a folder of these files.
func promtool(t testing.TB, command string, files map[string]string, args ...string) error {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("promtool %s: %s", args[:2], said)
	}
	return nil
}
