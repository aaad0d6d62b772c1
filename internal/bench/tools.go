package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cilium/ebpf"

	"ply-exporter/configs"
	"ply-exporter/internal/stress"
)

// Scripts of the shipped configurations beside tools that show the same, as Debian
// has them, under the same load: what the kernel says that their programs took,
// divided by the number of events.

// errNotCompared is about a tool that this machine does not have, or that does not
// run here.
var errNotCompared = errors.New("not compared")

// bpfcc's tools are compiled when they start, with the headers of the kernel that
// runs.
var toolRows = []row{
	{name: "run-queue latency, an event of sched_switch, beside bpftrace's runqlat", values: []value{cost(0.6)},
		run: ours("quickstart.yaml", "run_queue", "sched_switch"), beside: theirs("sched_switch", bpftrace(runqlat))},
	{name: "run-queue latency, an event of sched_switch, beside bpfcc's runqlat", values: []value{cost(0.6)},
		run: ours("quickstart.yaml", "run_queue", "sched_switch"), beside: theirs("sched_switch", tool("runqlat-bpfcc"))},
	{name: "latency of disks, a request, beside bpftrace with tracepoints", values: []value{cost(0.6)},
		run: ours("block_io.yaml", "block_io_latency", "block_rq_complete"), beside: theirs("block_rq_complete", bpftrace(diskLatency))},
	{name: "latency of disks, a request, beside bpfcc's biolatency", values: []value{cost(0.6)},
		run: ours("block_io.yaml", "block_io_latency", "block_rq_complete"), beside: theirs("block_rq_complete", tool("biolatency-bpfcc", "-D"))},
}

// ours measures one script of a shipped configuration.
func ours(file, script, event string) func(string) ([]float64, error) {
	return func(path string) ([]float64, error) {
		config, err := onlyScript(file, script)
		if err != nil {
			return nil, err
		}
		before, err := programIDs()
		if err != nil {
			return nil, err
		}
		s, err := serve(path, config)
		if err != nil {
			return nil, err
		}
		defer s.end()
		return costOfEvent(event, before)
	}
}

// onlyScript cuts one script out of a configuration.
func onlyScript(file, name string) (string, error) {
	text, err := configs.Files.ReadFile(file)
	if err != nil {
		return "", err
	}
	const item = "\n  - name: "
	for _, part := range strings.Split(string(text), item)[1:] {
		if found, _, _ := strings.Cut(part, "\n"); found == name {
			return "scripts:" + item + part + "\n", nil
		}
	}
	return "", fmt.Errorf("%s has no script %s", file, name)
}

// theirs measures another tool.
func theirs(event string, command func(folder string) (*exec.Cmd, error)) func(string) ([]float64, error) {
	return func(path string) ([]float64, error) {
		before, err := programIDs()
		if err != nil {
			return nil, err
		}
		cmd, err := command(filepath.Dir(path))
		if err != nil {
			return nil, err
		}
		end, err := begin(cmd, before)
		if err != nil {
			return nil, err
		}
		defer end()
		return costOfEvent(event, before)
	}
}

// begin starts a tool and waits until it has loaded its programs.
func begin(cmd *exec.Cmd, before map[ebpf.ProgramID]bool) (end func(), err error) {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotCompared, err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	end = func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		<-exited
	}
	for stable, last := 0, 0; stable < 5; {
		select {
		case <-exited:
			return nil, fmt.Errorf("%w: %s does not run here: %s", errNotCompared, filepath.Base(cmd.Args[0]), lastLine(output.String()))
		case <-time.After(200 * time.Millisecond):
		}
		now, err := programIDs()
		if err != nil {
			end()
			return nil, err
		}
		maps.DeleteFunc(now, func(id ebpf.ProgramID, _ bool) bool { return before[id] }) // of which some may end meanwhile
		if added := len(now); added > 0 && added == last {
			stable++
		} else {
			stable, last = 0, added
		}
	}
	return end, nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// costOfEvent observes the programs that were not there before.
func costOfEvent(event string, before map[ebpf.ProgramID]bool) ([]float64, error) {
	programs, err := programsSince(before)
	if err != nil {
		return nil, err
	}
	defer closePrograms(programs)
	var o observation
	err = stress.Mixed(func() error {
		o, err = observe(event, programs, func() error { time.Sleep(2 * time.Second); return nil })
		return err
	})
	return []float64{o.perEvent()}, err
}

// tool is a program of the path.
func tool(name string, args ...string) func(string) (*exec.Cmd, error) {
	return func(string) (*exec.Cmd, error) { return exec.Command(name, args...), nil }
}

// bpftrace runs a script for it.
func bpftrace(script func() (string, error)) func(string) (*exec.Cmd, error) {
	return func(folder string) (*exec.Cmd, error) {
		text, err := script()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNotCompared, err)
		}
		file := filepath.Join(folder, "script.bt")
		return exec.Command("bpftrace", file), os.WriteFile(file, []byte(text), 0o600)
	}
}

// runqlat is bpftrace's own script as it is installed. It takes one constant from
// the kernel's headers, which need not be here.
func runqlat() (string, error) {
	text, err := os.ReadFile("/usr/sbin/runqlat.bt")
	if err != nil {
		return "", err
	}
	return strings.NewReplacer("#include <linux/sched.h>", "", "TASK_RUNNING", "0").Replace(string(text)), nil
}

// diskLatency stands in for bpftrace's biolatency, which probes functions that
// kernels have no more: the usual pair of tracepoints.
func diskLatency() (string, error) {
	return `
tracepoint:block:block_rq_issue { @began[args->dev, args->sector] = nsecs; }
tracepoint:block:block_rq_complete / @began[args->dev, args->sector] / {
  @us[args->dev, args->rwbs] = hist((nsecs - @began[args->dev, args->sector]) / 1000);
  delete(@began[args->dev, args->sector]);
}
`, nil
}
