package exporter

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"ply-exporter/internal/promtest"
	"ply-exporter/tracer"
)

// A fakeHost has the programs that a test puts there.
type fakeHost struct {
	programs []tracer.HostProgram
	unseen   int
	err      error
}

func (f *fakeHost) Read() ([]tracer.HostProgram, int, error) { return f.programs, f.unseen, f.err }

// filterOf is a program that ran so often, a microsecond each time.
func filterOf(id uint32, name string, runs uint64) tracer.HostProgram {
	return tracer.HostProgram{
		ID: id, Name: name, Type: "sched_cls", Memory: 4096, Missed: runs / 100,
		Cost: tracer.Cost{Runs: runs, Time: time.Duration(runs) * time.Microsecond},
	}
}

// A hostTest is a collector of the programs of a fakeHost.
type hostTest struct {
	*testing.T
	*hostCollector
	host     *fakeHost
	log      bytes.Buffer
	always   bool // there are statistics
	registry *prometheus.Registry
}

func newHostTest(t *testing.T, always bool, programs ...tracer.HostProgram) *hostTest {
	h := &hostTest{T: t, host: &fakeHost{programs: programs}, always: always, registry: prometheus.NewRegistry()}
	h.hostCollector = newHostCollector(&hostBackend{host: h.host}, slog.New(slog.NewTextHandler(&h.log, nil)), func() bool { return h.always })
	h.registry.MustRegister(h.hostCollector)
	return h
}

// A hostBackend has a fakeHost.
type hostBackend struct {
	fakeBackend
	host *fakeHost
}

func (b *hostBackend) Host() (HostReader, bool) { return b.host, true }

func (h *hostTest) gather() []*dto.MetricFamily {
	h.Helper()
	families, err := h.registry.Gather()
	if err != nil {
		h.Fatal(err)
	}
	return families
}

// with scrapes with other programs.
func (h *hostTest) with(programs ...tracer.HostProgram) string {
	h.Helper()
	h.host.programs = programs
	var b strings.Builder
	for _, f := range h.gather() {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			h.Fatal(err)
		}
	}
	return b.String()
}

// expect wants lines in a scrape. One that begins with ! must not be there.
func (h *hostTest) expect(text string, lines ...string) {
	h.Helper()
	for _, line := range lines {
		name, absent := strings.CutPrefix(line, "!")
		if strings.Contains("\n"+text, "\n"+name) == absent {
			h.Errorf("%s in\n%s", line, text)
		}
	}
}

func of(name string) string { return fmt.Sprintf(`{name=%q,ours="false",type="sched_cls"} `, name) }

// Programs of one name are added up from the start of the exporter on, and what they did
// stays when they are unloaded.
func TestHostPrograms(t *testing.T) {
	h := newHostTest(t, true, filterOf(1, "a", 1000), filterOf(2, "a", 5000), filterOf(3, "b", 70))
	text := h.with(filterOf(1, "a", 1200), filterOf(2, "a", 5000), filterOf(3, "b", 70))
	h.expect(text, "ply_host_bpf_programs"+of("a")+"2\n", "ply_host_bpf_program_runs_total"+of("a")+"200\n",
		"ply_host_bpf_program_run_seconds_total"+of("a")+"0.0002\n", "ply_host_bpf_program_memory_bytes"+of("a")+"8192\n",
		"ply_host_bpf_program_missed_total"+of("a")+"2\n", "ply_host_bpf_program_runs_total"+of("b")+"0\n")
	if err := promtest.CheckMetrics(t, text); err != nil {
		t.Error(err)
	}
	h.expect(h.with(filterOf(2, "a", 5001), filterOf(9, "a", 30)), // one is unloaded, another loaded
		"ply_host_bpf_programs"+of("a")+"2\n", "ply_host_bpf_program_runs_total"+of("a")+"231\n")
	h.expect(h.with(filterOf(9, "a", 7)), "ply_host_bpf_program_runs_total"+of("a")+"238\n") // another one with its ID
	h.host.unseen = 4
	h.expect(h.with(), "ply_host_bpf_programs"+of("a")+"0\n", "ply_host_bpf_program_runs_total"+of("a")+"238\n",
		"ply_host_bpf_programs"+of("b")+"0\n", "ply_host_bpf_programs_unseen_total 4\n")
	mine := filterOf(10, "a", 6)
	mine.Ours = true
	h.expect(h.with(mine), `ply_host_bpf_program_runs_total{name="a",ours="true",type="sched_cls"} 6`+"\n", "ply_host_bpf_program_runs_total"+of("a")+"238\n")
}

// Runs and times of moments are not exported.
func TestHostProgramsWithoutStatistics(t *testing.T) {
	h := newHostTest(t, false, filterOf(1, "a", 1000))
	h.expect(h.with(filterOf(1, "a", 1200)), "ply_host_bpf_programs"+of("a")+"1\n", "!ply_host_bpf_program_runs_total", "!ply_host_bpf_program_run_seconds_total")
	if got := h.log.String(); !strings.Contains(got, "--bpf.stats, or the setting kernel.bpf_stats_enabled=1") {
		t.Error(got)
	}
}

// Where there is no room for more names, those of which no program is left make room, and
// the rest is one series.
func TestHostProgramsOfManyNames(t *testing.T) {
	var many []tracer.HostProgram
	for i := range uint32(maxHostNames) {
		many = append(many, filterOf(i+1, fmt.Sprintf("n%03d", i), 0))
	}
	h := newHostTest(t, true, many...)
	both := append(many, filterOf(1001, "x", 30), filterOf(1002, "y", 12))
	others := `ply_host_bpf_program_runs_total{name="other",ours="false",type="other"} `
	h.expect(h.with(both...), others+"42\n", "!ply_host_bpf_program_runs_total"+of("x"))
	h.expect(h.with(both[1:]...), others+"42\n", "ply_host_bpf_program_runs_total"+of("n000")) // it may come back
	h.expect(h.with(append(both[1:], filterOf(1003, "z", 5))...), "!ply_host_bpf_program_runs_total"+of("n000"))
	if n := len(h.names); n != maxHostNames+1 {
		t.Errorf("%d names", n)
	}
}

// A name counts since the exporter has started, or since the reading that did not find it.
func TestHostProgramsStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		h := newHostTest(t, true, filterOf(1, "a", 1))
		time.Sleep(time.Minute)
		h.with(filterOf(1, "a", 1))
		time.Sleep(time.Minute)
		h.with(filterOf(1, "a", 1), filterOf(2, "b", 1))
		want := map[string]time.Time{"a": begun, "b": begun.Add(time.Minute)}
		for _, f := range h.gather() {
			if f.GetName() != "ply_host_bpf_program_runs_total" {
				continue
			}
			for _, m := range f.Metric {
				name := m.Label[0].GetValue()
				if got := m.Counter.CreatedTimestamp.AsTime(); !got.Equal(want[name]) {
					t.Errorf("%s counts since %s, want %s", name, got, want[name])
				}
				delete(want, name)
			}
		}
		if len(want) > 0 {
			t.Errorf("not there: %v", want)
		}
	})
}

// Who may not see programs exports nothing of them, and is told once.
func TestHostProgramsRefused(t *testing.T) {
	h := newHostTest(t, true)
	h.host.err = errors.New("it takes CAP_SYS_ADMIN")
	for range 2 {
		if text := h.with(); text != "" {
			t.Error(text)
		}
	}
	h.host.err = nil
	h.expect(h.with(filterOf(1, "a", 1)), "ply_host_bpf_programs"+of("a")+"1\n")
	if got := h.log.String(); strings.Count(got, "CAP_SYS_ADMIN") != 1 || !strings.Contains(got, "can be read again") {
		t.Error(got)
	}
}

// Every metric of programs of the machine is in the documentation.
func TestHostMetricsInTheDocumentation(t *testing.T) {
	doc, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	h := newHostTest(t, true, filterOf(1, "a", 1))
	for _, f := range h.gather() {
		if !strings.Contains(string(doc), "`"+f.GetName()) {
			t.Errorf("docs/configuration.md does not tell of %s", f.GetName())
		}
	}
}
