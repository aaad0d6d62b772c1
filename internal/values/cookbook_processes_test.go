package values

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ply-exporter/internal/need"
)

var processRecipes = []recipe{
	{
		script: "crashes",
		work: func(t *testing.T, did ledger) {
			for _, signal := range []string{"ABRT", "TERM", "ABRT"} {
				cmd := busybox(t, "cookbook-crash", "sh", "-c", "kill -"+signal+" $$")
				_ = cmd.Run()
				if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGABRT {
					did["SIGABRT"]++
				}
			}
		},
		compared: func(_ *testing.T, did ledger) []comparison {
			return []comparison{
				{ours: ours("ply_crashes_total", "comm", "cookbook-crash", "signal", "SIGABRT"), source: "wait4", theirs: did.of("SIGABRT"), least: 2},
				{ours: ours("ply_crashes_total", "comm", "cookbook-crash"), source: "wait4", theirs: did.of("SIGABRT"), least: 2},
			}
		},
	},
	{
		script: "backup",
		work: func(t *testing.T, did ledger) {
			run(t, busybox(t, "nightly-backup", "true"))
			did["now"] = float64(time.Now().UnixNano()) / 1e9
			_ = busybox(t, "nightly-backup", "false").Run()
			_ = busybox(t, "another-backup", "true").Run()
		},
		compared: func(_ *testing.T, did ledger) []comparison {
			return []comparison{{ours: ours("ply_backup_success_timestamp_seconds"), source: "the clock after it has ended", theirs: did.of("now"), slack: 0.5}}
		},
	},
}

// busybox is a command of busybox in a process with this name.
func busybox(t *testing.T, comm string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := filepath.EvalSymlinks(need.Command(t, "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), comm)
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	return &exec.Cmd{Path: link, Args: args}
}
