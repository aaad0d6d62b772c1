package promtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

// zeroIngestion is the feature by which Prometheus, from 2.50 on, stores a 0 at
// the start time of a series.
const zeroIngestion = "created-timestamp-zero-ingestion"

// StartZeros is Start for a Prometheus that stores a 0 at the start time of
// each series. Where the one on PATH cannot, it is fetched.
func StartZeros(t testing.TB, target string) *Server {
	t.Helper()
	return start(t, zeroCommand(t), target, "/metrics", "--enable-feature="+zeroIngestion)
}

func zeroCommand(t testing.TB) string {
	t.Helper()
	command := need.Command(t, "prometheus")
	if help, err := exec.Command(command, "--help").CombinedOutput(); err == nil && strings.Contains(string(help), zeroIngestion) {
		return command
	}
	return fetched(t, "prometheus", "2.50")
}

// fetched is a command of a newer Prometheus than the one on PATH.
func fetched(t testing.TB, command, from string) string {
	t.Helper()
	path, err := exec.Command(filepath.Join(moduleRoot(t), "internal/promtest/fetch-prometheus"), command).Output()
	if err != nil {
		t.Skipf("needs the command %s from %s on: %v", command, from, err)
	}
	return strings.TrimSpace(string(path))
}

// moduleRoot is the folder of go.mod. Tests run in that of their package, or below.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			err = errors.New("no go.mod")
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal(err)
	return ""
}

// Increase is what Prometheus says a series has grown by since its beginning,
// up to its last sample; 0 when it has none now.
func (s *Server) Increase(series string) float64 {
	s.t.Helper()
	last := s.Query("timestamp(" + series + ")")
	if len(last) != 1 {
		return 0
	}
	return s.Value(fmt.Sprintf("increase(%s[1h] @ %.3f)", series, last[0].Value))
}

// WaitIncrease waits until a series has grown by this much. The test fails if
// it never has, or by more.
func (s *Server) WaitIncrease(series string, want float64) {
	s.t.Helper()
	got := 0.0
	s.wait(fmt.Sprintf("to see %s grow by %v", series, want), func() bool {
		got = s.Increase(series)
		return got >= want
	})
	if got != want {
		s.t.Errorf("prometheus: %s has grown by %v, want %v", series, got, want)
	}
}
