package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"ply-exporter/internal/need"
	"ply-exporter/internal/promtest"
)

// A server is a ply-exporter that serves.
type server struct {
	cmd     *exec.Cmd
	address string
	log     string // file with what it wrote
}

// startServer serves a configuration and returns when it is ready.
func startServer(t *testing.T, config string, args ...string) *server {
	t.Helper()
	s := &server{address: freeAddress(t), log: writeFile(t, "log", "")}
	args = append([]string{"--config", writeFile(t, "probes.yaml", config), "--web.listen-address", s.address}, args...)
	s.cmd = plyCommand(context.Background(), args...)
	s.start(t)
	return s
}

// start starts the server's command, until the test ends, and waits until it serves.
func (s *server) start(t *testing.T) {
	t.Helper()
	file, err := os.OpenFile(s.log, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s.cmd.Stdout, s.cmd.Stderr = file, file
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() })
	s.waitReady(t)
}

func (s *server) waitReady(t *testing.T) {
	t.Helper()
	var last any // answer, or why there was none
	asked, longest := 0, time.Duration(0)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		began := time.Now()
		r, err := http.Get("http://" + s.address + "/-/ready")
		if last = err; err == nil {
			body, _ := io.ReadAll(r.Body)
			_ = r.Body.Close()
			if last = fmt.Sprintf("%s, %q", r.Status, body); r.StatusCode == http.StatusOK {
				return
			}
		}
		asked, longest = asked+1, max(longest, time.Since(began))
	}
	_ = s.cmd.Process.Signal(syscall.SIGQUIT) // says what its goroutines wait for
	err := s.cmd.Wait()
	t.Fatalf("not ready after %d requests, the longest of %v: %v; ended with %v\n%s", asked, longest, last, err, s.logText(t))
}

func (s *server) logText(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// waitLog waits until the log contains text.
func (s *server) waitLog(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(s.logText(t), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in the log: %s\n%s", text, s.logText(t))
		}
	}
}

func (s *server) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	r, err := http.Get("http://" + s.address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	return r.StatusCode, readAll(t, r.Body)
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

const exactConfig = `
scripts:
  - name: calls
    script: |
      kprobe:SyS_getpriority / comm == "ply-workload" / { $calls[func].count() }
  - name: reads
    script: |
      kprobe:SyS_read / comm == "ply-workload" / { @size = quantize(arg(2)); }
      kretprobe:SyS_read / comm == "ply-workload" && retval > 0 / { @bytes = sum(retval); }
`

// A workload that makes exactly n calls shows n, and reads of exactly 4096
// bytes are in the bucket that ends at 4096, in a real Prometheus.
func TestPrometheusShowsExactlyWhatHappened(t *testing.T) {
	need.BPF(t)
	s := startServer(t, exactConfig)
	prometheus := promtest.Start(t, s.address)
	const n = 12345
	runWorkload(t, n)
	prometheus.WaitValue(`ply_reads_size_count`, n)
	for query, want := range map[string]float64{
		`ply_calls_total{func="sys_getpriority"}`: n,
		`ply_reads_size_count`:                    n,
		`ply_reads_size_sum`:                      n * 4096,
		`ply_reads_size_bucket{le="2048.0"} or ply_reads_size_bucket{le="2048"}`: 0,
		`ply_reads_size_bucket{le="4096.0"} or ply_reads_size_bucket{le="4096"}`: n,
		`histogram_quantile(1, ply_reads_size_bucket)`:                           4096,
		`ply_reads_bytes_total`:                        n * 4096,
		`sum(ply_script_up)`:                           2,
		`sum(ply_map_dropped_total)`:                   0,
		`ply_map_entries{script="calls",map="$calls"}`: 1,
		`up`: 1,
	} {
		if got := prometheus.Value(query); got != want {
			t.Errorf("%s is %v, want %v", query, got, want)
		}
	}
}

// What a series counts before its first scrape is in its increase.
func TestPrometheusShowsTheIncreaseOfNewSeries(t *testing.T) {
	need.BPF(t)
	s := startServer(t, exactConfig)
	prometheus := promtest.StartZeros(t, s.address)
	const n = 12345
	for i := range 2 {
		runWorkload(t, n)
		prometheus.WaitIncrease(`ply_calls_total{func="sys_getpriority"}`, float64(n*(i+1)))
		prometheus.WaitIncrease(`ply_reads_size_count`, float64(n*(i+1)))
	}
}

// The surplus of an LRU map, which grows with the CPUs, stays inside.
func TestEvictingMapExportsAtMostItsMaximum(t *testing.T) {
	need.BPF(t)
	s := startServer(t, `
scripts:
  - name: calls
    script: |
      kprobe:SyS_getpriority / comm == "ply-workload" / { @[rand % 5000] = count(); }
    metrics: [{map: "@", max_entries: 8, overflow: evict}]
`)
	runWorkload(t, 20000)
	exported := func() string {
		_, text := s.get(t, "/metrics")
		if !strings.Contains(text, `ply_map_entries{map="@",script="calls"} 8`+"\n") || strings.Contains(text, "surplus_entries 0\n") {
			t.Errorf("not 8 keys and others:\n%s", text)
		}
		return strings.Join(regexp.MustCompile(`(?m)^ply_calls_total\{.*$`).FindAllString(text, -1), "\n")
	}
	first := exported()
	if n := strings.Count(first, "\n") + 1; n != 8 {
		t.Errorf("%d series:\n%s", n, first)
	}
	if second := exported(); second != first {
		t.Errorf("nothing happened, and the series are others:\n%s\nafter\n%s", second, first)
	}
}

func TestOwnMetricsPassLint(t *testing.T) {
	need.BPF(t)
	s := startServer(t, exactConfig, "--collector.bpf-programs", "--bpf.stats")
	runWorkload(t, 10)
	_, text := s.get(t, "/metrics")
	if !regexp.MustCompile(`(?m)^ply_host_bpf_program_runs_total\{name="\w+",ours="true",type="\w+"\} [1-9]`).MatchString(text) {
		t.Errorf("no program of its own ran in\n%s", text)
	}
	for _, metric := range []string{"ply_probe_runs_total", "ply_probe_run_seconds_total"} {
		if !regexp.MustCompile(`(?m)^` + metric + `\{probe="kprobe:SyS_getpriority",script="calls"\} [0-9.e-]*[1-9]`).MatchString(text) {
			t.Errorf("no %s in\n%s", metric, text)
		}
	}
	if err := promtest.CheckMetrics(t, text); err != nil {
		t.Errorf("promtool: %v", err)
	}
}

func TestSIGTERMEndsCleanly(t *testing.T) {
	need.OneGuest(t)
	need.BPF(t)
	s := startServer(t, "scripts:\n  - name: calls\n    script: |\n      kprobe:SyS_* { $syscalls[func].count() }\n")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("status %v\n%s", err, s.logText(t))
	}
}

// What this kernel lacks fails its script alone.
func TestOneScriptThatCannotRunHarmsNoOther(t *testing.T) {
	need.BPF(t)
	s := startServer(t, exactConfig+`
  - name: absent
    script: |
      tracepoint:sched/sched_swich { @ = count(); }
`)
	runWorkload(t, 100)
	_, text := s.get(t, "/metrics")
	for _, line := range []string{
		`ply_script_up{script="absent"} 0`,
		`ply_probe_attached{kind="none",probe="tracepoint:sched/sched_swich",script="absent"} 0`,
		`ply_script_up{script="calls"} 1`,
		`ply_calls_total{func="sys_getpriority"} 100`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
	if log := s.logText(t); !strings.Contains(log, "sched_switch") {
		t.Errorf("the log does not offer the nearest name:\n%s", log)
	}
	if _, page := s.get(t, "/"); !strings.Contains(page, "sched_swich") {
		t.Error("the page does not show the script that failed")
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := ply(t, "--config", writeFile(t, "p.yaml", exactConfig), "--web.listen-address", l.Addr().String())
	if want := fmt.Sprintf("%s is in use", l.Addr()); r.status != 1 || !strings.Contains(r.stderr, want) {
		t.Errorf("status %d, standard error %q does not say %q", r.status, r.stderr, want)
	}
}

// When the reader of standard error ends, the log is lost and nothing else.
func TestReaderOfTheLogEnds(t *testing.T) {
	need.BPF(t)
	address := freeAddress(t)
	cmd := plyCommand(context.Background(), "--config", writeFile(t, "probes.yaml", goodConfig), "--web.listen-address", address)
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	s := &server{cmd: cmd, address: address, log: writeFile(t, "log", "")}
	s.waitReady(t)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil { // logs a reload
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		if status, _ := s.get(t, "/metrics"); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
