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

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/configs"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

// BenchmarkEvent compares one event of a compiled script with one of a program
// assembled by hand that does the same. Both are attached at the same time to
// the same events; the kernel measures their run time.
func BenchmarkEvent(b *testing.B) {
	need.BPF(b)
	k, err := kernel.Running()
	if err != nil {
		b.Fatal(err)
	}
	tracer.Detect(k)
	obj, err := bpfgen.Build(&plylang.Source{Text: "tracepoint:raw_syscalls/sys_enter { @[data->id] = count(); }"},
		k, bpfgen.Options{Run: true, PlainAttach: true}, func(string) (string, bool) { return "", false })
	if err != nil {
		b.Fatal(err)
	}
	ours, err := ebpf.NewCollection(obj.Spec)
	if err != nil {
		b.Fatal(err)
	}
	defer ours.Close()
	compiled := ours.Programs[obj.Programs[0].Name]
	byHand := handAssembled(b)
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		b.Fatal(err)
	}
	defer stats.Close()
	for _, p := range []*ebpf.Program{byHand, compiled} {
		l, err := link.Tracepoint("raw_syscalls", "sys_enter", p, nil)
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
	}
	for b.Loop() {
		for range 1000 {
			_, _, _ = syscall.RawSyscall(unix.SYS_GETPRIORITY, 0, 0, 0)
		}
	}
	hand, own := perRun(b, byHand), perRun(b, compiled)
	b.ReportMetric(own, "ns/event")
	b.ReportMetric(hand, "ns/event-by-hand")
	b.ReportMetric(own/hand, "ratio")
}

func perRun(b *testing.B, p *ebpf.Program) float64 {
	b.Helper()
	info, err := p.Stats()
	if err != nil {
		b.Fatal(err)
	}
	return float64(info.Runtime.Nanoseconds()) / float64(info.RunCount)
}

// handAssembled is what a careful person writes in assembly for counting system
// calls by number in a per-CPU hash.
func handAssembled(b *testing.B) *ebpf.Program {
	b.Helper()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.PerCPUHash, KeySize: 8, ValueSize: 8, MaxEntries: 10240})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.Close() })
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.TracePoint, License: "GPL", Instructions: asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, 8, asm.DWord), // id
		asm.StoreMem(asm.R10, -8, asm.R2, asm.DWord),
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, -8),
		asm.FnMapLookupElem.Call(),
		asm.JNE.Imm(asm.R0, 0, "add"),
		asm.Mov.Imm(asm.R2, 0),
		asm.StoreMem(asm.R10, -16, asm.R2, asm.DWord),
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, -8),
		asm.Mov.Reg(asm.R3, asm.R10),
		asm.Add.Imm(asm.R3, -16),
		asm.Mov.Imm(asm.R4, int32(ebpf.UpdateNoExist)),
		asm.FnMapUpdateElem.Call(),
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, -8),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.Mov.Imm(asm.R1, 1).WithSymbol("add"),
		asm.AddAtomic.Mem(asm.R0, asm.R1, asm.DWord, 0),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"),
		asm.Return(),
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close() })
	return p
}

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
