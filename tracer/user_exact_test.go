package tracer

import (
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/elf"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/live"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// callers is a Python program: threads that are bound to CPUs, several for each, call a
// function of a library, or collect garbage, from one line that somebody writes to it until
// the next, at least so many times. It says how often they did. ctypes lets other threads run meanwhile.
// The function refuses what it is asked for with a 1, which is in no register before.
const callers = `
import ctypes, gc, os, sys, threading
library, per_cpu, calls = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
gc.disable()
called = None if library == "gc" else ctypes.CDLL(library).fesetround
call = (lambda: gc.collect(1)) if library == "gc" else (lambda: called(77))
cpus = sorted(os.sched_getaffinity(0)) * per_cpu
made, stop = [0] * len(cpus), False
def work(i):
    os.sched_setaffinity(0, {cpus[i]})
    while not stop or made[i] < calls / len(cpus):
        call()
        made[i] += 1
threads = [threading.Thread(target=work, args=(i,)) for i in range(len(cpus))]
print(0, flush=True)
sys.stdin.readline()
for t in threads: t.start()
sys.stdin.readline()
stop = True
for t in threads: t.join()
print(sum(made), flush=True)
`

// A caller is a process of callers.
type caller struct{ *live.Dialog }

// startCaller starts one that waits.
func startCaller(t *testing.T, library string, calls int) caller {
	t.Helper()
	c := caller{live.Talk(t, exec.Command(need.Command(t, "/usr/bin/python3"), "-I", "-c", callers, library, fmt.Sprint(threadsPerCPU), fmt.Sprint(calls)))}
	c.hears(t)
	return c
}

// hears waits for a number.
func (c caller) hears(t *testing.T) (n uint64) {
	t.Helper()
	if _, err := fmt.Fscanln(c.Out, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// begin has it call.
func (c caller) begin(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(c.In, "\n"); err != nil {
		t.Fatal(err)
	}
}

// end ends the calls, and returns how many there were.
func (c caller) end(t *testing.T) uint64 {
	t.Helper()
	c.begin(t)
	return c.hears(t)
}

// mathLibrary is the C library's, which any program can load a copy of.
func mathLibrary(t *testing.T) string {
	t.Helper()
	paths, err := elf.Find("", "libm.so.6")
	if err != nil {
		t.Skip(err)
	}
	return paths[0]
}

// Nothing is lost in programs either, nor counted twice: threads that preempt each other,
// on all CPUs, run into probes of each kind while a reader reads without a pause.
func TestUserProbesAreExact(t *testing.T) {
	need.BPF(t)
	const calls = 60_000
	library := filepath.Join(t.TempDir(), "libcalled.so")
	copyProgram(t, mathLibrary(t), library)
	python, err := filepath.EvalSymlinks(need.Command(t, "/usr/bin/python3"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, script, called string }{
		{"uprobe", "uprobe:LIBRARY:fesetround / arg0 == 77 / { @[pid] = count(); }", library},
		{"uretprobe", "uretprobe:LIBRARY:fesetround / (int)retval == 1 / { @[pid] = count(); }", library},
		{"usdt", "usdt:PYTHON:python:gc__start / pid == PYPID && arg0 == 1 / { @[pid] = count(); }", "gc"},
	} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/plain=%t", row.name, plain), func(t *testing.T) {
				c := startCaller(t, row.called, calls)
				script := strings.NewReplacer("LIBRARY", library, "PYTHON", python, "PYPID", fmt.Sprint(c.Process.Pid)).Replace(row.script)
				obj, err := bpfgen.Build(&plylang.Source{Text: script}, runningKernel(t), bpfgen.Options{PlainAttach: plain}, nil)
				if err != nil {
					t.Fatal(plylang.Detail(err))
				}
				tr := start(t, obj, testOptions(t))
				var stop atomic.Bool
				done := make(chan int)
				go func() {
					rounds, _ := readLoop(t, tr, &stop)
					done <- rounds
				}()
				c.begin(t)
				made := c.end(t)
				stop.Store(true)
				if rounds, n := <-done, total(t, tr); n != made || made < calls || rounds < 10 {
					t.Errorf("counted %d of %d calls, with %d readings beside", n, made, rounds)
				}
			})
		}
	}
}

// A probe of one process is in no other one, all threads of it, whatever the program asks.
func TestUserProbesOfOneProcess(t *testing.T) {
	need.BPF(t)
	const calls = 1000
	library := filepath.Join(t.TempDir(), "libcalled.so")
	copyProgram(t, mathLibrary(t), library)
	for _, plain := range []bool{false, true} {
		wanted, other := startCaller(t, library, calls), startCaller(t, library, calls)
		text := fmt.Sprintf("uprobe:%[1]s:fesetround { @[pid] = count(); } uretprobe:%[1]s:fesetround { @returns[pid] = count(); }", library)
		obj, err := bpfgen.Build(&plylang.Source{Text: text}, runningKernel(t), bpfgen.Options{PlainAttach: plain}, nil)
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		for _, p := range obj.Programs {
			for i, at := range p.Points {
				if f, ok := at.Site.(object.UserFunction); ok {
					f.PID = wanted.Process.Pid
					p.Points[i].Site = f
				}
			}
		}
		tr := start(t, obj, testOptions(t))
		wanted.begin(t)
		other.begin(t)
		made := wanted.end(t)
		other.end(t)
		for _, m := range obj.Maps {
			if n := totalOf(t, tr, m); n != made || made < calls {
				t.Errorf("plain=%t: %s counted %d of %d calls", plain, m.Name, n, made)
			}
		}
	}
}

// A library is upgraded while threads call it: calls of processes that have loaded the old
// one, and the new one, are all counted, once each.
func TestUpgradeUnderLoad(t *testing.T) {
	need.BPF(t)
	const calls = 30_000
	from, library := mathLibrary(t), filepath.Join(t.TempDir(), "libcalled.so")
	copyProgram(t, from, library)
	scripts := []string{
		"uprobe:LIBRARY:fesetround / arg0 == 77 / { @[pid] = count(); }",
		"uretprobe:LIBRARY:fesetround / (int)retval == 1 / { @[pid] = count(); }",
	}
	build := func(script string) *object.Object { return compile(t, strings.ReplaceAll(script, "LIBRARY", library)) }
	var tracers []*Tracer
	for _, s := range scripts {
		tracers = append(tracers, start(t, build(s), testOptions(t)))
	}
	old := startCaller(t, library, calls)
	old.begin(t)
	for _, tr := range tracers {
		for deadline := time.Now().Add(20 * time.Second); total(t, tr) < 1000; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("counted %d calls only", total(t, tr))
			}
		}
	}
	installProgram(t, from, library)
	for i, tr := range tracers {
		if paths, err := tr.Follow(build(scripts[i])); err != nil || !slices.Equal(paths, []string{library}) {
			t.Fatalf("followed %v: %v", paths, err)
		}
		if paths, err := tr.Follow(build(scripts[i])); err != nil || len(paths) > 0 {
			t.Fatalf("followed again %v: %v", paths, err)
		}
	}
	fresh := startCaller(t, library, calls)
	fresh.begin(t)
	made := old.end(t) + fresh.end(t)
	for i, tr := range tracers {
		if n := total(t, tr); n != made || made < 2*calls {
			t.Errorf("%s: counted %d of %d calls", scripts[i], n, made)
		}
	}
}
