package cli

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ply-exporter/internal/need"
)

// What happens at probes that end before the script is not counted: run says so, and
// that is its status.
func TestProbesThatEndEarly(t *testing.T) {
	need.BPF(t)
	text, err := os.ReadFile(need.Command(t, "bash"))
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "app")
	for _, tt := range []struct {
		flags []string
		want  int
	}{{nil, 1}, {[]string{"-k"}, 0}} {
		if err := os.WriteFile(program, text, 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := plyCommand(context.Background(), append(append([]string{"run"}, tt.flags...), "uprobe:"+program+":colon_builtin { @ = count(); } BEGIN { @begun = count(); }")...)
		stderr, err := cmd.StderrPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		for lines := bufio.NewScanner(stderr); lines.Scan(); said += lines.Text() + "\n" {
			switch {
			case strings.Contains(lines.Text(), "active"):
				err = os.WriteFile(program, text, 0o755)
			case strings.Contains(lines.Text(), "probe detached"):
				err = cmd.Process.Signal(syscall.SIGINT)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		var status *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &status) {
			t.Fatal(err)
		}
		if got := cmd.ProcessState.ExitCode(); got != tt.want || !strings.Contains(said, "uprobe:"+program+":colon_builtin has ended early: "+program+" was written to, and") {
			t.Errorf("%q: status %d, %s", tt.flags, got, said)
		}
	}
}
