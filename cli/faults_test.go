package cli

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

const faultsConfig = `
scripts:
  - name: calls
    script: |
      kprobe:SyS_getpriority { @[comm] = count(); }
`

// expectCalls wants so many calls of the workload in a scrape.
func (s *server) expectCalls(t *testing.T, want float64) {
	t.Helper()
	if n, _ := value(s.families(t), "ply_calls_total", workloadName); n != want {
		t.Errorf("%g calls counted, want %g\n%s", n, want, s.logText(t))
	}
}

// An exporter that is stopped answers nobody, and has counted all when it goes on.
func TestStoppedExporter(t *testing.T) {
	need.BPF(t)
	s := startServer(t, faultsConfig)
	runWorkload(t, 100)
	if err := s.cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	runWorkload(t, 2000)
	client := http.Client{Timeout: 200 * time.Millisecond}
	if r, err := client.Get("http://" + s.address + "/metrics"); err == nil {
		_ = r.Body.Close()
		t.Error("it answers")
	}
	if err := s.cmd.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.expectCalls(t, 2100)
}

// An exporter whose log cannot be written counts on, and scripts that print do, too.
func TestLogOnAFullDisk(t *testing.T) {
	need.BPF(t)
	s := &server{address: freeAddress(t), log: writeFile(t, "log", "")}
	const prints = "  - name: says\n    script: |\n      kprobe:SyS_getpriority { printf(\"%d\\n\", pid); }\n"
	s.cmd = plyCommand(context.Background(), "--config", writeFile(t, "probes.yaml", faultsConfig+prints), "--web.listen-address", s.address)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	s.cmd.Stdout, s.cmd.Stderr = full, full
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() })
	s.waitReady(t)
	runWorkload(t, 500)
	s.expectCalls(t, 500)
}

// A script for whose maps the kernel has no memory does not run, alone, and says which.
// The map is larger than the machine's memory, which the kernel sees before it takes any.
func TestMapsBeyondTheMemory(t *testing.T) {
	need.BPF(t)
	const large = "  - name: large\n    script: |\n      kprobe:SyS_getpgid { @[comm, pid] = quantize(pid, 4); }\n" +
		"    metrics: [{map: \"@\", max_entries: 10000000, native: true}]\n"
	s := &server{address: freeAddress(t), log: writeFile(t, "log", "")}
	s.cmd = plyCommand(context.Background(), "--config", writeFile(t, "probes.yaml", faultsConfig+large), "--web.listen-address", s.address)
	s.start(t)
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() })
	runWorkload(t, 50)
	s.expectCalls(t, 50)
	if up, _ := value(s.families(t), "ply_script_up", "large"); up != 0 {
		t.Error("it runs")
	}
	if text := s.logText(t); !strings.Contains(text, "the kernel has no memory for @, which takes ") || !strings.Contains(text, "probes.yaml:8:") {
		t.Error(text)
	}
}

// A script that the kernel refuses at a reload changes nothing: the one that runs under its
// name counts on, and so do the others.
func TestReloadThatTheKernelRefuses(t *testing.T) {
	need.BPF(t)
	const more = "  - name: more\n    script: |\n      kprobe:SyS_getpriority { @ = count(); }\n"
	s, write := startReloadable(t, faultsConfig+more, "--web.enable-lifecycle")
	runWorkload(t, 100)
	write(strings.Replace(faultsConfig, "@[comm] = count(); }\n", "@[comm] = count(); @large[comm, pid] = quantize(pid, 4); }\n"+
		"    metrics: [{map: \"@large\", max_entries: 10000000, native: true}]\n", 1))
	status, body := s.reload(t)
	if status != http.StatusInternalServerError || !strings.Contains(body, "what runs as calls would end: ") || !strings.Contains(body, "the kernel has no memory for @large") {
		t.Errorf("status %d: %s", status, body)
	}
	runWorkload(t, 50)
	s.expectCalls(t, 150)
	if n, _ := value(s.families(t), "ply_more_total"); n < 150 {
		t.Errorf("the other script has %g calls, want 150", n)
	}
}
