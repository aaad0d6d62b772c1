package bpfgen_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

// programsRead says that only programs read the tables v and n.
var programsRead = bpfgen.Options{Maps: map[string]bpfgen.MapOptions{"v": {Programs: true}, "n": {Programs: true}}}

// Threads store, add, read and delete at the same time, each what is its own. The
// oldest kernel keeps it in a hash.
func TestTablesOfTasks(t *testing.T) {
	need.OldAndNew(t)
	k := running(t)
	const script = `
kprobe:SyS_getpriority / pid == PID / { v[curtask] = arg1; n[curtask] += arg1; n[curtask]++; }
kretprobe:SyS_getpriority / v[curtask] / {
	@calls = count(); @v = sum(v[curtask]); @n = sum(n[curtask]);
	delete v[curtask];
	n[curtask] = 0;
}
kretprobe:SyS_getppid / pid == PID / { @left[v[curtask], n[curtask]] = count(); }`
	obj, err := bpfgen.Build(&plylang.Source{Text: strings.ReplaceAll(script, "PID", "1")}, k, programsRead, nil)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	for _, m := range obj.Maps {
		if m.ProgramsOnly() != (k.KeepsInTasks() && m.Agg == nil) {
			t.Errorf("%s is stored as %v", m.Name, m.Storage)
		}
	}
	const threads, calls = 4, 1000
	sum := 0
	got := trace(t, k, script, programsRead, func() {
		var all sync.WaitGroup
		for i := range threads {
			sum += calls * (1000 + i)
			all.Go(func() {
				runtime.LockOSThread() // for good: the thread ends
				for range calls {
					_, _, _ = unix.RawSyscall(unix.SYS_GETPRIORITY, 0, uintptr(1000+i), 0)
					_, _, _ = unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
				}
			})
		}
		all.Wait()
	})
	for _, want := range []string{
		fmt.Sprintf("@calls %d", threads*calls), fmt.Sprintf("@v %d", sum), fmt.Sprintf("@n %d", sum+threads*calls), fmt.Sprintf("@left[0, 0] %d", threads*calls),
	} {
		if !strings.Contains(got+"\n", want+"\n") {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}

// What is kept with the tasks that events are about is what a hash keeps: by address and
// by number, from the thread that makes another to that one's end.
func TestTablesOfTasksInArguments(t *testing.T) {
	need.OldAndNew(t)
	k := running(t)
	for _, script := range []string{`
rawtracepoint:sched_wakeup_new { v[arg0] = pid; w[arg0] = pid; }
rawtracepoint:sched_process_exit / v[arg0] == PID || w[arg0] == PID / {
	if (v[arg0] == w[arg0]) { @same = count(); } else { @differ = count(); }
	delete v[arg0];
	if (v[arg0]) { @left = count(); }
}`, `
tracepoint:sched/sched_wakeup_new { v[data->pid] = pid; w[data->pid] = pid; }
tracepoint:sched/sched_process_exit / v[data->pid] == PID || w[data->pid] == PID / {
	if (v[data->pid] == w[data->pid]) { @same = count(); } else { @differ = count(); }
	delete v[data->pid];
	if (v[data->pid]) { @left = count(); }
}`} {
		obj, err := bpfgen.Build(&plylang.Source{Text: strings.ReplaceAll(script, "PID", "1")}, k, programsRead, nil)
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		raw := !slices.ContainsFunc(obj.Programs, func(p *object.Program) bool { return p.Attach != object.AttachRawTracepoint })
		if got := obj.Maps[0].ProgramsOnly(); got != (raw && k.KeepsInTasks()) {
			t.Errorf("%s is stored as %v, raw %t", obj.Maps[0].Name, obj.Maps[0].Storage, raw)
		}
		const threads = 100
		got := trace(t, k, script, programsRead, func() {
			var all sync.WaitGroup
			for range threads {
				all.Go(runtime.LockOSThread) // the thread ends with it
			}
			all.Wait()
		})
		var same int
		if _, err := fmt.Sscanf(got, "@same %d", &same); err != nil || same < threads/2 || strings.Contains(got, "differ") || strings.Contains(got, "left") {
			t.Errorf("%s\n%s", script, got)
		}
	}
}

// A task that was known to have no value has the one that is stored since by another name
// of it: the task that is switched from is the current one.
func TestTaskOfTwoNames(t *testing.T) {
	need.OldAndNew(t)
	k := running(t)
	const script = `
rawtracepoint:sched_switch / pid == PID && !v[arg1] / {
	v[curtask] = 5;
	if (v[arg1] == 5) { @same = count(); } else { @differ = count(); }
	delete v[curtask];
}`
	const threads = 100
	got := trace(t, k, script, programsRead, func() {
		var all sync.WaitGroup
		for range threads {
			all.Go(runtime.LockOSThread) // the thread ends with it
		}
		all.Wait()
	})
	var same int
	if _, err := fmt.Sscanf(got, "@same %d", &same); err != nil || same < threads || strings.Contains(got, "differ") {
		t.Error(got)
	}
}

// Which tables are kept with the tasks.
func TestWhichTablesAreOfTasks(t *testing.T) {
	for _, row := range []struct {
		script string
		kernel string
		opt    bpfgen.Options
		want   bool
	}{
		{`kprobe:SyS_read { v[curtask] = 1; }`, "6.18-amd64", programsRead, true},
		{`kprobe:SyS_read / v[curtask] / { v[curtask]++; delete v[curtask]; }`, "7.3-amd64", programsRead, true},
		{`kprobe:SyS_read { v[curtask] = 1; }`, "5.10-amd64", programsRead, false},
		{`kprobe:SyS_read { v[curtask] = 1; }`, "6.18-amd64", bpfgen.Options{}, false},
		{`kprobe:SyS_read { v[tid] = 1; }`, "6.18-amd64", programsRead, false},
		{`kprobe:SyS_read { v[curtask] = comm; }`, "6.18-amd64", programsRead, false},
		{`kprobe:SyS_read { v[curtask, 1] = 1; }`, "6.18-amd64", programsRead, false},
		{`kprobe:SyS_read { v[curtask] = 1; } kprobe:SyS_write { print(v); }`, "6.18-amd64", programsRead, false},
		{`kprobe:SyS_read { v[curtask] = 1; } kprobe:SyS_write / v[curtask->real_parent] / { @ = count(); }`, "6.18-amd64", programsRead, false},
		{`kprobe:SyS_read { v[curtask] = 1; } kprobe:SyS_write { clear(v); }`, "6.18-amd64", programsRead, false},
		{`kprobe:SyS_read { v[curtask] = count(); }`, "6.18-amd64", programsRead, false},
		{`rawtracepoint:sched_wakeup { v[arg0] = 1; } rawtracepoint:sched_switch { v[arg1] = 1; delete v[arg2]; }`, "6.18-amd64", programsRead, true},
		{`rawtracepoint:sched_wakeup { v[arg0] = 1; } kprobe:SyS_read / v[curtask] / { @ = count(); }`, "6.12-arm64", programsRead, true},
		{`rawtracepoint:sched_wakeup { v[(struct task_struct *)arg0] = 1; }`, "7.3-amd64", programsRead, true},
		{`rawtracepoint:sched_wakeup { v[(u32)arg0] = 1; }`, "6.18-amd64", programsRead, false},
		{`rawtracepoint:sched_switch { v[arg0] = 1; }`, "6.18-amd64", programsRead, false},
		{`rawtracepoint:sched_switch { v[arg1 + 1] = 1; }`, "6.18-amd64", programsRead, false},
		{`rawtracepoint:sched_switch { v[arg1] = 1; }`, "5.10-amd64", programsRead, false},
		{`tracepoint:sched/sched_wakeup { v[data->pid] = 1; } tracepoint:sched/sched_switch { v[data->prev_pid] = 1; delete v[data->next_pid]; }`,
			"6.18-amd64", programsRead, true},
		{`tracepoint:sched/sched_wakeup { v[data->pid] = 1; } rawtracepoint:sched_switch { delete v[arg1]; }`, "6.18-amd64", programsRead, false},
		{`tracepoint:sched/sched_wakeup { v[data->prio] = 1; }`, "6.18-amd64", programsRead, false},
		{`tracepoint:sched/sched_wakeup { v[data->pid] = data->target_cpu; }`, "6.18-amd64", programsRead, false},
		{`tracepoint:sched/sched_wakeup { v[data->pid] = 1; } tracepoint:sched/sched_wakeup { @[data->target_cpu] = count(); }`,
			"6.18-amd64", programsRead, false},
		{`tracepoint:sched/sched_wakeup { v[data->pid] = 1; } kprobe:SyS_read { v[tid] = 1; }`, "6.18-amd64", programsRead, false},
	} {
		k, err := kernel.Open(recorded.Files(row.kernel))
		if err != nil {
			t.Fatal(err)
		}
		o, err := bpfgen.Build(&plylang.Source{Text: row.script}, k, row.opt, nil)
		if err != nil {
			t.Errorf("%s: %s", row.script, plylang.Detail(err))
			continue
		}
		if got := o.Maps[0].Storage == object.InTasks; got != row.want {
			t.Errorf("%s on %s: %t", row.script, row.kernel, got)
		}
	}
}
