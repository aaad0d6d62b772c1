package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ply-exporter/internal/need"
)

// startReloadable serves a file that a test may write anew.
func startReloadable(t *testing.T, config string, args ...string) (s *server, write func(string)) {
	t.Helper()
	file := writeFile(t, "probes.yaml", config)
	s = &server{address: freeAddress(t), log: writeFile(t, "log", "")}
	s.cmd = plyCommand(context.Background(), append([]string{"--config", file, "--web.listen-address", s.address}, args...)...)
	s.start(t)
	return s, func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
}

func (s *server) reload(t *testing.T) (status int, body string) {
	t.Helper()
	r, err := http.Post("http://"+s.address+"/-/reload", "", nil)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return r.StatusCode, string(text)
}

// Scripts that do not change count every event, however often others around them
// change, come and go.
func TestReloadLosesNothing(t *testing.T) {
	need.BPF(t)
	s, write := startReloadable(t, exactConfig, "--web.enable-lifecycle")
	const reloads = 50
	done := make(chan bool)
	go func() {
		defer close(done)
		for i := range reloads {
			text := exactConfig
			if i%3 > 0 { // a new one, which then changes and goes
				text = strings.Replace(text, "scripts:\n", fmt.Sprintf("scripts:\n  - name: more\n    script: kprobe:SyS_getpriority / pid != %d / { @ = count(); }\n", i+1), 1)
			}
			if i%5 == 4 { // names that do not touch the code
				text = strings.Replace(text, "  - name: reads\n", "  - name: reads\n    help: Reads.\n    metrics: [{map: '@size', help: "+fmt.Sprint("Sizes ", i)+"}]\n", 1)
			}
			write(text)
			if status, body := s.reload(t); status != http.StatusOK {
				t.Errorf("reload %d: %d %s", i, status, body)
			}
		}
	}()
	const n = 100_000
	made := 0
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		runWorkload(t, n)
		made += n
	}
	_, text := s.get(t, "/metrics")
	for series, want := range map[string]int{
		`ply_calls_total{func="sys_getpriority"}`: made,
		`ply_reads_size_count`:                    made,
		`ply_reads_bytes_total`:                   made * 4096,
	} {
		if got := sampleOf(t, text, series); got != float64(want) {
			t.Errorf("%s is %v after %d reloads, want %d", series, got, reloads, want)
		}
	}
}

// sampleOf is the value of a series in a scrape.
func sampleOf(t *testing.T, text, series string) float64 {
	t.Helper()
	_, rest, found := strings.Cut("\n"+text, "\n"+series+" ")
	number, _, _ := strings.Cut(rest, "\n")
	v, err := strconv.ParseFloat(number, 64)
	if !found || err != nil {
		t.Errorf("no %s in\n%s", series, text)
	}
	return v
}

// SIGHUP, and files that change, reload as a request does.
func TestReloadBySignalAndByItself(t *testing.T) {
	need.BPF(t)
	s, write := startReloadable(t, goodConfig, "--config.enable-auto-reload", "--config.auto-reload-interval=100ms")
	write(exactConfig)
	s.waitLog(t, `msg="configuration reloaded" reason="the files have changed"`)
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.waitLog(t, "reason=hangup")
	if status, body := s.reload(t); status != http.StatusForbidden {
		t.Errorf("%d %s", status, body)
	}
	write("scripts: [{name: x, script: 'kprobe:SyS_read { @ = cuont(); }'}]\n")
	s.waitLog(t, "configuration not reloaded: the one before goes on")
	if _, text := s.get(t, "/metrics"); !strings.Contains(text, "ply_exporter_config_last_reload_successful 0\n") || !strings.Contains(text, `ply_script_up{script="reads"} 1`) {
		t.Error(text)
	}
	before := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("after %s: %v\n%s", time.Since(before), err, s.logText(t))
	}
}
