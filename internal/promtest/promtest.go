// Package promtest runs a real Prometheus against an exporter under test.
//
//	prometheus := promtest.Start(t, "127.0.0.1:10759")
//	n := prometheus.Value(`ply_syscalls_total{syscall="read"}`)
//
// It uses the prometheus and promtool commands on PATH and skips the test where
// they are missing. Everything stays on the loopback interface.
package promtest

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ply-exporter/internal/need"
)

// startTimeout is for Prometheus to be ready, and for a scrape to happen; both
// take a second or two on an idle machine.
const startTimeout = 30 * time.Second

// A Server is a running Prometheus that scrapes one target every second.
type Server struct {
	t   testing.TB
	url string
	log *bytes.Buffer
}

const config = `
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: test
    metrics_path: %q
    static_configs: [{targets: [%q]}]
`

// Start starts a Prometheus that scrapes /metrics at target ("127.0.0.1:10759")
// and returns when it is ready and has scraped once. It ends with the test.
func Start(t testing.TB, target string) *Server {
	t.Helper()
	return StartPath(t, target, "/metrics")
}

// StartPath is Start for an exporter whose metrics are at another path.
func StartPath(t testing.TB, target, path string) *Server {
	t.Helper()
	return start(t, need.Command(t, "prometheus"), target, path)
}

func start(t testing.TB, command, target, path string, args ...string) *Server {
	t.Helper()
	return startWith(t, command, target, fmt.Sprintf(config, path, target), args...)
}

// startWith starts a Prometheus with the text of a configuration that scrapes the target.
func startWith(t testing.TB, command, target, text string, args ...string) *Server {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	s := &Server{t: t, url: "http://" + address, log: &bytes.Buffer{}}
	args = append(args, "--config.file="+file, "--storage.tsdb.path="+dir+"/data", "--web.listen-address="+address, "--log.level=warn")
	s.run(exec.Command(command, args...))
	s.wait("to be ready", s.ready)
	s.wait("to scrape "+target, func() bool { up, ok := s.value(`up{job="test"}`); return ok && up == 1 })
	return s
}

// run starts the command, and stops it when the test ends.
func (s *Server) run(cmd *exec.Cmd) {
	s.t.Helper()
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
		if s.t.Failed() && s.log.Len() > 0 {
			s.t.Logf("prometheus: %s", s.log)
		}
	})
}

// freeAddress is an address of the loopback interface that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *Server) ready() bool {
	response, err := http.Get(s.url + "/-/ready")
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// wait polls until done is true; the test fails if it never is.
func (s *Server) wait(what string, done func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(startTimeout); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("prometheus: waited %v for it %s", startTimeout, what)
		}
	}
}

// StartNative is Start for a Prometheus that stores native histograms, and of a
// histogram that has native buckets only these: by a feature before version 3.8, and as
// its configuration says from then on.
func StartNative(t testing.TB, target string) *Server {
	t.Helper()
	command, text := need.Command(t, "prometheus"), fmt.Sprintf(config, "/metrics", target)
	if version, err := exec.Command(command, "--version").CombinedOutput(); err != nil || bytes.Contains(version, []byte("version 2.")) {
		return startWith(t, command, target, text, "--enable-feature=native-histograms")
	}
	return startWith(t, command, target, strings.Replace(text, "global: {", "global: {scrape_native_histograms: true, ", 1))
}
