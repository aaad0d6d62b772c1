package main

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// What one event costs that a program of a script runs at.

// Loads; those of one situation share what they measured with nothing attached.
var (
	priorityOfX = &load{comm: "x", event: call(unix.SYS_GETPRIORITY)}
	priorityOfY = &load{comm: "y", event: call(unix.SYS_GETPRIORITY)}
	parentOfX   = &load{comm: "x", event: call(unix.SYS_GETPPID)}
	switches    = &load{comm: "x", event: call(unix.SYS_SCHED_YIELD), partner: true}
)

func call(number uintptr) func() {
	return func() { _, _, _ = unix.RawSyscall(number, 0, 1000, 0) }
}

const (
	threeKeys = `kprobe:SyS_getpriority / comm == "x" / { @[arg0, arg1, comm] = count(); }`
	histogram = `kprobe:SyS_getpriority { @[arg0] = quantize(arg1); }`
	allCalls  = `kprobe:SyS_* { @[func] = count(); }`

	timed      = `kretprobe:SyS_getpriority { @ = quantize(elapsed); }`
	timedCalls = `kretprobe:SyS_* { @[func] = quantize(elapsed); }`
	twoProbes  = `kprobe:SyS_getpriority { s[tid] = time; }
    kretprobe:SyS_getpriority / s[tid] / { @ = quantize(time - s[tid]); delete s[tid]; }`
	twoProbesCalls = `kprobe:SyS_* { s[tid] = time; }
    kretprobe:SyS_* / s[tid] / { @[func] = quantize(time - s[tid]); delete s[tid]; }`

	runQueue = `tracepoint:sched/sched_switch {
      if (data->prev_pid != 0 && (data->prev_state & 0xff) == 0) {
          since[data->prev_pid] = time;
      }
      start = since[data->next_pid];
      if (start) {
          @ = quantize(time - start);
          delete since[data->next_pid];
      }
    }`
)

var eventRows = []row{
	{name: "an event that three keys count", values: []value{cost(0.70)}, run: events(threeKeys, priorityOfX)},
	{name: "an event that the predicate refuses", values: []value{cost(0.80)}, run: events(threeKeys, priorityOfY)},
	{name: "an event of another system call", values: []value{cost(0.80)}, run: events(threeKeys, parentOfX)},
	{name: "an event of a histogram by key", values: []value{cost(0.80)}, run: events(histogram, priorityOfX)},
	{name: "an event of system calls by name", values: []value{cost(0.60), {name: "above an empty program", unit: "ns", most: 10}}, run: aboveEmpty(events(allCalls, parentOfX), "sys_enter", parentOfX)},
	{name: "an event of the run queue", values: []value{cost(0.80)}, run: events(runQueue, switches)},
	{name: "a system call that elapsed times, beside a table of starts", values: []value{cost(1)}, run: events(timed, priorityOfX), beside: events(twoProbes, priorityOfX)},
	{name: "elapsed of all system calls by name, beside a table of starts", values: []value{cost(1)}, run: events(timedCalls, parentOfX), beside: events(twoProbesCalls, parentOfX)},
}

func cost(ratio float64) value { return value{name: "time", unit: "ns", ratio: ratio} }

// events measures what a script adds to the events of a load.
func events(script string, l *load) func(string) ([]float64, error) {
	config := fmt.Sprintf("scripts:\n  - name: bench\n    script: |\n      %s\n    metrics:\n      - {map: \"@\"}\n",
		strings.ReplaceAll(script, "\n", "\n  "))
	return func(path string) ([]float64, error) {
		var s *server
		defer func() {
			if s != nil {
				s.end()
			}
		}()
		ns, err := l.cost(func() (err error) {
			s, err = serve(path, config)
			return err
		})
		return []float64{ns}, err
	}
}

// aboveEmpty adds by how much that is more than what an empty program at a raw
// tracepoint adds.
func aboveEmpty(run func(string) ([]float64, error), event string, l *load) func(string) ([]float64, error) {
	return func(path string) ([]float64, error) {
		values, err := run(path)
		if err != nil {
			return nil, err
		}
		empty, err := emptyProgram(event, l)
		return append(values, values[0]-empty), err
	}
}

func emptyProgram(event string, l *load) (float64, error) {
	var w *witness
	defer func() {
		if w != nil {
			w.Close()
		}
	}()
	return l.cost(func() (err error) {
		w, err = attachWitness(event)
		return err
	})
}
