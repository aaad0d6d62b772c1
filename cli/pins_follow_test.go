package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ply-exporter/internal/live"
	"ply-exporter/internal/need"
)

// An exporter is killed when the program that it counts in has just been upgraded: the next one
// goes on with the processes of the old file, and counts in the new one, too.
func TestKilledWhileAProgramIsReplaced(t *testing.T) {
	need.BPF(t)
	program := filepath.Join(t.TempDir(), "app")
	text, err := os.ReadFile(need.Command(t, "bash"))
	if err != nil {
		t.Fatal(err)
	}
	install := func() {
		t.Helper()
		if err := os.WriteFile(program+".new", text, 0o755); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
		if err := os.Rename(program+".new", program); err != nil {
			t.Fatal(err)
		}
	}
	var processes []*live.Dialog
	calls := 0
	call := func() { // in a process of each file that there has been
		t.Helper()
		processes = append(processes, live.Talk(t, exec.Command(program, "--norc", "--noprofile")))
		for _, p := range processes {
			fmt.Fprint(p.In, strings.Repeat(":\n", 10)+"echo done\n")
			if _, err := p.Out.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			calls += 10
		}
	}
	install()
	s := startServer(t, "scripts:\n  - name: app\n    script: 'uprobe:"+program+":colon_builtin { @[func] = count(); }'\n", "--bpf.pin-path", live.PinPath(t))
	call()
	before := s.counters(t, "ply_app_total")["colon_builtin"]
	for range 2 {
		install()
		s = s.restart(t, syscall.SIGKILL)
		call()
	}
	if after := s.counters(t, "ply_app_total")["colon_builtin"]; after.value != float64(calls) || !after.at.Equal(before.at) {
		t.Errorf("%v since %s, want %d since %s\n%s", after.value, after.at, calls, before.at, s.logText(t))
	}
	if text := s.logText(t); !strings.Contains(text, "attached to files that have come while no exporter ran") {
		t.Errorf("log %s", text)
	}
}
