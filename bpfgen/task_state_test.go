package bpfgen_test

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/internal/need"
)

// The state that a raw tracepoint's arguments give is the one of the record.
func TestTaskState(t *testing.T) {
	need.EachArch(t)
	k := running(t)
	const script = `tracepoint:sched/sched_switch / data->prev_comm == "ply-states" / { @[data->prev_state] = count(); }`
	var raw, record string
	record = trace(t, k, script, bpfgen.Options{PlainAttach: true}, func() {
		raw = trace(t, k, script, bpfgen.Options{}, changeStates)
	})
	if raw != record {
		t.Errorf("raw:\n%s\nof the record:\n%s", raw, record)
	}
	for _, state := range []string{"@[S]", "@[D]"} {
		if !strings.Contains(raw, state) {
			t.Errorf("no event has the state %s:\n%s", state, raw)
		}
	}
}

// changeStates has a thread sleep, yield, wait where it cannot be interrupted, and
// end.
func changeStates() {
	end := make(chan struct{})
	go func() {
		defer close(end)
		runtime.LockOSThread() // for good: the thread ends
		name := []byte("ply-states\x00")
		_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0)
		for range 20 {
			_ = unix.Nanosleep(&unix.Timespec{Nsec: int64(time.Millisecond)}, nil)
			_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		}
		for range 8 { // a child may have its program before the thread waits for that
			_ = exec.Command("/proc/self/exe", "-test.run", "^$").Run()
		}
	}()
	<-end
	time.Sleep(50 * time.Millisecond)
}

// A program that asks for the time in several places reads the clock once, whichever
// of them it comes to first.
func TestOneTime(t *testing.T) {
	k := running(t)
	for _, row := range []string{
		`a = nsecs; unroll (5) { @t[pid] = nsecs; } b = nsecs;`,
		`if (pid == 0) { a = nsecs; } b = nsecs; unroll (5) { @t[pid] = b; } a = nsecs;`,
		`if (pid != 0) { a = nsecs; } @t[pid] = a; b = nsecs;`,
		`if (pid != 0 && nsecs > 5) { a = nsecs; } @t[pid] = a; b = nsecs;`,
	} {
		script := fmt.Sprintf(`kprobe:SyS_getpriority / pid == PID / { %s if (a == b && a > 0) { @same = count(); } else { @not = count(); } }`, row)
		got := trace(t, k, script, bpfgen.Options{}, func() { call(3, unix.SYS_GETPRIORITY) })
		if !strings.Contains(got, "@same 3") || strings.Contains(got, "@not") {
			t.Errorf("%s\n%s", script, got)
		}
	}
}
