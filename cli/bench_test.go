package cli

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/configs"
	"ply-exporter/internal/need"
)

// BenchmarkStart measures the quickstart configuration: from starting the
// program to the answer of its first scrape, its memory then, and from SIGTERM
// to its end.
func BenchmarkStart(b *testing.B) { benchLife(b, string(configs.Quickstart)) }

// BenchmarkAttachAllSystemCalls measures the same of one script on all system
// calls.
func BenchmarkAttachAllSystemCalls(b *testing.B) {
	benchLife(b, "scripts:\n  - name: calls\n    script: |\n      kprobe:SyS_* { $syscalls[func].count() }\n")
}

func benchLife(b *testing.B, config string) {
	need.BPF(b)
	buildBinary(b)
	var start, stop time.Duration
	var memory float64
	for b.Loop() {
		p := startBench(b, config)
		start += p.started
		memory = max(memory, p.residentMB(b))
		stop += p.end(b)
	}
	b.ReportMetric(0, "ns/op") // a sum of what is reported apart
	b.ReportMetric(float64(start.Microseconds())/1000/float64(b.N), "ms/start-to-first-scrape")
	b.ReportMetric(float64(stop.Microseconds())/1000/float64(b.N), "ms/SIGTERM-to-end")
	b.ReportMetric(memory, "MB-resident")
}

// BenchmarkScrape measures the exporter's CPU time for a scrape of 20,000
// series: 20,000 keys counted once each, then read again and again.
func BenchmarkScrape(b *testing.B) {
	need.BPF(b)
	const series = 20_000
	p := startBench(b, fmt.Sprintf(`scripts:
  - name: keys
    script: |
      kprobe:SyS_getpriority / comm == "ply-bench" / { @[arg0] = count(); }
    metrics:
      - {map: "@", max_entries: %d}
`, series+1000))
	defer p.end(b)
	touchKeys(series)
	if n := strings.Count(p.scrape(b), "\nply_keys_total{"); n != series {
		b.Fatalf("%d series", n)
	}
	before := p.cpu(b)
	for b.Loop() {
		p.scrape(b)
	}
	b.ReportMetric(float64((p.cpu(b)-before).Microseconds())/1000/float64(b.N), "ms-CPU/scrape")
}

func touchKeys(n int) {
	done := make(chan struct{})
	go func() { // a thread with another name must not go back to the pool
		defer close(done)
		lockedThread("ply-bench")
		for i := range n {
			_, _, _ = syscall.RawSyscall(unix.SYS_GETPRIORITY, uintptr(1000+i), 0, 0)
		}
	}()
	<-done
}

// binary is the program as it is released.
var binary struct {
	sync.Once
	path string
	err  error
}

// buildBinary builds the program, once.
func buildBinary(b *testing.B) string {
	b.Helper()
	binary.Do(func() {
		folder, err := os.UserCacheDir()
		if err != nil {
			binary.err = err
			return
		}
		binary.path = folder + "/ply-exporter/bench/ply-exporter"
		out, err := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", binary.path, "ply-exporter").CombinedOutput()
		if err != nil {
			binary.err = fmt.Errorf("go build: %w: %s", err, out)
		}
	})
	if binary.err != nil {
		b.Fatal(binary.err)
	}
	return binary.path
}

// A benchServer is an exporter in a process of its own.
type benchServer struct {
	url     string
	cmd     *os.Process
	started time.Duration // until the first scrape was answered
}

func startBench(b *testing.B, config string) *benchServer {
	b.Helper()
	path := b.TempDir() + "/probes.yaml"
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	address := freeAddress(b)
	cmd := exec.CommandContext(b.Context(), buildBinary(b), "--config", path, "--web.listen-address", address, "--log.level", "error")
	cmd.Stderr = os.Stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	p := &benchServer{url: "http://" + address + "/metrics", cmd: cmd.Process}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if r, err := http.Get(p.url); err == nil {
			_, _ = io.Copy(io.Discard, r.Body)
			_ = r.Body.Close()
			p.started = time.Since(began)
			return p
		}
	}
	b.Fatal("the exporter does not answer")
	return nil
}

// end asks the process to end and returns how long it took.
func (p *benchServer) end(b *testing.B) time.Duration {
	b.Helper()
	began := time.Now()
	_ = p.cmd.Signal(syscall.SIGTERM)
	if _, err := p.cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

func (p *benchServer) scrape(b *testing.B) string {
	b.Helper()
	r, err := http.Get(p.url)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}

func (p *benchServer) residentMB(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := bytes.Cut(text, []byte("VmRSS:"))
	kb, _ := strconv.Atoi(strings.Fields(string(rest))[0])
	return float64(kb) / 1024
}

// cpu is the user and system time the process has used.
func (p *benchServer) cpu(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100
}
