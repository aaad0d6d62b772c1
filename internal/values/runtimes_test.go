package values

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// collector collects, for each line but "stats", garbage of each generation some times.
// The answer are its statistics.
const collector = `
import gc, json, sys
gc.disable()
for line in sys.stdin:
    if line != "stats\n":
        for generation in 0, 1, 1, 2, 2, 2:
            for i in range(10):
                x = []
                x.append(x)
            x = None
            gc.collect(generation)
    print(json.dumps([[s["collections"], s["collected"] + s["uncollectable"]] for s in gc.get_stats()]), flush=True)
`

// What Python says of its collections is what is counted.
func TestPython(t *testing.T) {
	need.BPF(t)
	python := copyProgram(t, t.TempDir(), "/usr/bin/python3")
	s := serve(t, loadFor(t, "python.yaml", map[string]string{"/usr/bin/python3": python}))
	cmd := exec.Command(python, "-s", "-c", collector)
	cmd.Env = append(os.Environ(), "PYTHONHOME=/usr")
	begin := time.Now() // some is collected when it begins
	program := startWorker(t, cmd)
	stat := func(generation, of int) func(*testing.T) float64 {
		return func(t *testing.T) float64 {
			var stats [3][2]float64
			must(t, json.Unmarshal([]byte(program.do(t, "stats")), &stats))
			return stats[generation][of]
		}
	}
	var list []comparison
	for generation := range 3 {
		g := strconv.Itoa(generation)
		list = append(list,
			comparison{ours: ours("ply_python_gc_seconds_count", "generation", g), source: "collections of gc.get_stats()", theirs: stat(generation, 0), least: float64(generation + 1)},
			comparison{ours: ours("ply_python_gc_objects_total", "generation", g), source: "collected of gc.get_stats()", theirs: stat(generation, 1), least: 10})
	}
	compare(t, s, func() { program.do(t, "work") }, list...)
	checkTime(t, s, "ply_python_gc_seconds_sum", time.Since(begin).Seconds())
}

// copyOfThis copies this program under a name. Nobody but the workloads of the test runs
// the copy.
func copyOfThis(t *testing.T, name string) string {
	t.Helper()
	this, err := os.Executable()
	must(t, err)
	text, err := os.ReadFile(this)
	must(t, err)
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, text, 0o755))
	return path
}

// What the runtime of a Go program says of itself is what is counted.
func TestGoRuntime(t *testing.T) {
	need.BPF(t)
	path := copyOfThis(t, "program")
	s := serve(t, loadFor(t, "go_runtime.yaml", map[string]string{"prometheus": path}))
	cmd := workload("goroutines", "")
	cmd.Path = path
	program := startWorker(t, cmd)
	of := func(names ...string) func(t *testing.T) float64 {
		return func(t *testing.T) (sum float64) {
			all := map[string]float64{}
			must(t, json.Unmarshal([]byte(program.do(t, "stats")), &all))
			for _, name := range names {
				if _, ok := all[name]; !ok {
					t.Fatalf("the runtime does not tell %s", name)
				}
				sum += all[name]
			}
			return sum
		}
	}
	begin := time.Now()
	compare(t, s, func() { program.do(t, "work") },
		comparison{ours: ours("ply_go_runtime_gc_total"), source: gcCycles, theirs: of(gcCycles), least: 5},
		comparison{ours: ours("ply_go_runtime_pause_seconds_count"), source: "pauses", theirs: of(gcPauses, otherPauses), least: 10},
		comparison{ours: ours("ply_go_runtime_goroutines_started_total"), source: goroutines, theirs: of(goroutines), least: 3000},
		comparison{ours: ours("ply_go_runtime_panics_total"), source: "panics of the program", theirs: of("panics"), least: 1000},
	)
	checkTime(t, s, "ply_go_runtime_pause_seconds_sum", time.Since(begin).Seconds())
}

// What the runtime tells.
const (
	gcCycles    = "/gc/cycles/total:gc-cycles"
	gcPauses    = "/sched/pauses/total/gc:seconds"
	otherPauses = "/sched/pauses/total/other:seconds"
	goroutines  = "/sched/goroutines-created:goroutines"
)

// useRuntime collects garbage, starts goroutines and panics for each line but "stats", and
// answers with numbers of the runtime.
func useRuntime(string) error {
	panics := 0
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if lines.Text() != "stats" {
			for range 5 {
				runtime.GC()
			}
			done := make(chan bool)
			for range 3000 { // so many that one in a thousand is missed
				go func() { done <- true }()
				<-done
			}
			for range 1000 {
				recovered(&panics)
			}
		}
		told := map[string]float64{"panics": float64(panics)}
		samples := []metrics.Sample{{Name: gcCycles}, {Name: gcPauses}, {Name: otherPauses}, {Name: goroutines}}
		metrics.Read(samples)
		for _, s := range samples {
			switch s.Value.Kind() {
			case metrics.KindUint64:
				told[s.Name] = float64(s.Value.Uint64())
			case metrics.KindFloat64Histogram:
				for _, n := range s.Value.Float64Histogram().Counts {
					told[s.Name] += float64(n)
				}
			default: // it is not told by this release
			}
		}
		text, err := json.Marshal(told)
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", text)
	}
	return nil
}

func recovered(panics *int) {
	defer func() {
		_ = recover()
		*panics++
	}()
	panic("on purpose")
}

// spinner is the name under which a copy of this program computes.
const spinner = "values_spinner"

// A program that has a CPU for itself for some time is in the profile for that time, with
// the function that takes it. The time between two samples is what may be missing at each
// end; and a CPU leaves a twentieth to those that nobody prefers.
func TestProfile(t *testing.T) {
	need.BPF(t)
	cfg := loadFor(t, "profile.yaml", nil)
	path := copyOfThis(t, spinner)
	s := serve(t, cfg)
	did := ledger{}
	const sample = 1.0 / 19
	inFunction := metric{name: "ply_profile_stack_seconds_total"}
	compare(t, s, func() {
		cmd := workload("spin", "1500ms")
		cmd.Path = path
		said, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		seconds, err := strconv.ParseFloat(strings.TrimSpace(string(said)), 64)
		must(t, err)
		did["seconds"] += seconds
	},
		comparison{ours: ours("ply_profile_program_seconds_total", "program", spinner), source: "getrusage", theirs: did.of("seconds"), slack: 3 * sample, least: 1},
	)
	inStacks := 0.0
	for _, m := range s.scrape(t)[inFunction.name].GetMetric() {
		labels := map[string]string{}
		for _, l := range m.Label {
			labels[l.GetName()] = l.GetValue()
		}
		if labels["program"] == spinner && strings.Contains(labels["function"], "spinHere") {
			inStacks += m.GetCounter().GetValue()
		}
	}
	if inStacks < did["seconds"]-4*sample || inStacks > did["seconds"]+3*sample {
		t.Errorf("the function has %v seconds of the program's %v", inStacks, did["seconds"])
	}
}

// spinFor computes for a time, before all others of its CPU, and prints for how long it
// had that.
func spinFor(length string) error {
	duration, err := time.ParseDuration(length)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0); err != nil {
		return fmt.Errorf("to be before all others: %w", err)
	}
	spinHere(time.Now().Add(duration))
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &used); err != nil {
		return err
	}
	fmt.Println(float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9)
	return nil
}

//go:noinline
func spinHere(until time.Time) {
	for n := 0; ; n++ {
		if n%1_000_000 == 0 && time.Now().After(until) {
			return
		}
	}
}
