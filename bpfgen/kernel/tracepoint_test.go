package kernel

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"ply-exporter/internal/recorded"
)

func TestTracepoints(t *testing.T) {
	k := open(t, "6.18-amd64")
	tests := []struct{ category, event, want string }{
		{"sched", "sched_switch", "sched/sched_switch"},
		{"sched", "sched_wak*", "sched/sched_wake_idle_without_ipi sched/sched_wakeup sched/sched_wakeup_new sched/sched_waking"},
		{"raw_*", "sys_*", "raw_syscalls/sys_enter raw_syscalls/sys_exit"},
		{"@(irq|raw_syscalls)", "@(softirq|sys)_@(entry|exit)", "irq/softirq_entry irq/softirq_exit raw_syscalls/sys_exit"},
		{"sched", "sched_swich", ""},
		{"shed", "*", ""},
		{"..", "events", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		found, err := k.Tracepoints(tt.category, tt.event)
		if got := strings.Join(found, " "); got != tt.want || err != nil {
			t.Errorf("%s/%s finds %q, %v; want %q", tt.category, tt.event, got, err, tt.want)
		}
	}
}

func TestTracepoint(t *testing.T) {
	tests := []struct{ kernel, name, field, want string }{
		{"5.10-amd64", "sched/sched_switch", "prev_pid", "prev_pid at 24: pid_t, 4 signed"},
		{"7.3-amd64", "sched/sched_switch", "prev_comm", "prev_comm at 8: char[16], 16 of char in 1"},
		{"6.18-amd64", "sched/sched_process_exec", "filename", "filename at 8: __data_loc char[], dynamic char in 1"},
		{"6.18-amd64", "syscalls/sys_enter_read", "fd", "fd at 16: unsigned int, 4"},
		{"6.18-amd64", "syscalls/sys_exit_read", "ret", "ret at 16: long, 8 signed"},
		{"6.12-arm64", "raw_syscalls/sys_enter", "args", "args at 16: unsigned long[6], 6 of unsigned long in 8"},
	}
	for _, tt := range tests {
		category, event, _ := strings.Cut(tt.name, "/")
		format, err := open(t, tt.kernel).Tracepoint(category, event)
		if err != nil {
			t.Errorf("%s: %v", tt.kernel, err)
			continue
		}
		if field := format.Field(tt.field); field == nil || describe(*field) != tt.want {
			t.Errorf("%s: %s of %s is %+v, want %s", tt.kernel, tt.field, tt.name, field, tt.want)
		}
	}
}

func TestTracepointErrors(t *testing.T) {
	k := open(t, "6.18-amd64")
	for _, name := range []string{"sched/sched_swich", "shed/sched_switch", "ftrace/function", "../events", "/", "sched/", "a\x00/b"} {
		category, event, _ := strings.Cut(name, "/")
		if _, err := k.Tracepoint(category, event); !errors.Is(err, errNotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
	_, err := files(t, nil).Tracepoints("*", "*")
	if err == nil || !strings.Contains(err.Error(), "mount -t tracefs tracefs /sys/kernel/tracing") {
		t.Errorf("without tracefs: %v", err)
	}
}

// Every format of the recorded kernels parses.
func TestRecordedFormats(t *testing.T) {
	for _, name := range recorded.Names() {
		checkFormats(t, open(t, name), 100)
	}
}

// checkFormats reads all formats, of which there are at least a number.
func checkFormats(t *testing.T, k *Kernel, atLeast int) {
	t.Helper()
	all, err := k.Tracepoints("*", "*")
	if err != nil || len(all) < atLeast {
		t.Fatalf("%s: %d tracepoints, %v", k.release(), len(all), err)
	}
	for _, name := range all {
		category, event, _ := strings.Cut(name, "/")
		format, err := k.Tracepoint(category, event)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, f := range format.Fields {
			if problem := f.problem(); problem != "" {
				t.Errorf("%s: %s: %+v", name, problem, f)
			}
		}
	}
}

// problem says what is odd about a field that was read.
func (f *Field) problem() string {
	size, _ := f.Scalar()
	known := map[int]bool{1: true, 2: true, 4: true, 8: true}
	switch {
	case f.Dynamic():
		if f.Size != 4 || f.Array {
			return "a dynamic field takes 4 bytes"
		}
	case f.Array:
		if f.ElemSize > 0 && f.Len*f.ElemSize != f.Size {
			return "elements do not fill the array"
		}
	case strings.HasPrefix(f.Elem, "struct ") && !f.Pointer, strings.HasPrefix(f.Elem, "union "), f.Size > 8:
	case f.Pointer && f.Size != 8:
		return "a pointer has 8 bytes"
	case !known[size] || size > f.Size:
		return "no number has that size"
	}
	return ""
}

// Folders are listed once, and again when the kernel is to forget: modules bring
// tracepoints.
func TestTracepointsAreListedOnce(t *testing.T) {
	files := fstest.MapFS{"sys/kernel/tracing/events/nfs/nfs_open/format": {}}
	k, err := OpenArch(files, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	found := func() string {
		names, err := k.Tracepoints("*", "*")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(names, " ")
	}
	before := found()
	files["sys/kernel/tracing/events/xfs/xfs_read/format"] = &fstest.MapFile{}
	kept := found()
	k.Forget()
	if after := found(); before != "nfs/nfs_open" || kept != before || after != "nfs/nfs_open xfs/xfs_read" {
		t.Errorf("found %q, then %q, and %q after forgetting", before, kept, after)
	}
}
