package cli

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// capabilities are the effective ones of a thread, and whether it can have new ones.
func capabilities(t *testing.T, status string) (effective uint64, noNew bool) {
	t.Helper()
	text, err := os.ReadFile(status)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		switch name {
		case "CapEff":
			if effective, err = strconv.ParseUint(value, 16, 64); err != nil {
				t.Fatal(err)
			}
		case "NoNewPrivs":
			noNew = value == "1"
		}
	}
	return effective, noNew
}

// After the start every thread has the capabilities that serving needs, and no other;
// a reload starts scripts nevertheless.
func TestCapabilitiesAfterTheStart(t *testing.T) {
	need.OldAndNew(t)
	need.BPF(t)
	reloaded := exactConfig
	if need.HasKprobes() {
		reloaded += "  - name: functions\n    script: |\n      kprobe:vfs_read { @entered = count(); }\n      kretprobe:vfs_read { @took = quantize(elapsed); }\n      kretprobe:vfs_write { @returned = count(); }\n"
	}
	own, _ := capabilities(t, "/proc/self/status")
	needed := uint64(1<<unix.CAP_BPF|1<<unix.CAP_PERFMON|1<<unix.CAP_SYS_ADMIN|1<<unix.CAP_SYS_RESOURCE|1<<unix.CAP_SYSLOG|1<<unix.CAP_DAC_READ_SEARCH|1<<unix.CAP_SYS_PTRACE) & own
	for _, row := range []struct {
		keep  []string
		want  uint64
		noNew bool
	}{
		{nil, needed, true},
		{[]string{"--capabilities.keep=CAP_NET_ADMIN,chown", "--capabilities.keep=KILL"}, needed | own&(1<<unix.CAP_NET_ADMIN|1<<unix.CAP_CHOWN|1<<unix.CAP_KILL), true},
		{[]string{"--capabilities.keep=all"}, own, false},
	} {
		s, write := startReloadable(t, goodConfig, append(row.keep, "--web.enable-lifecycle")...)
		write(reloaded)
		if status, body := s.reload(t); status != http.StatusOK {
			t.Errorf("%q: %d %s", row.keep, status, body)
		}
		if _, text := s.get(t, "/metrics"); strings.Contains(text, `ply_script_up{script="functions"} 0`) || strings.Contains(text, "ply_probe_attached{kind=\"none\"") {
			t.Errorf("%q: %s\n%s", row.keep, text, s.logText(t))
		}
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", s.cmd.Process.Pid))
		if err != nil || len(threads) < 2 {
			t.Fatal(threads, err)
		}
		for _, thread := range threads {
			if got, noNew := capabilities(t, thread); got != row.want || noNew != row.noNew {
				t.Errorf("%q: %s has %x, want %x; no new ones: %v", row.keep, thread, got, row.want, noNew)
			}
		}
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := s.cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	if r := ply(t, "serve", "--capabilities.keep=SYS_ADMN"); r.status == 0 || !strings.Contains(r.stderr, `no capability "SYS_ADMN"; did you mean "SYS_ADMIN"?`) {
		t.Errorf("%+v", r)
	}
}
