package tracer

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// A table forgets none of as many keys as it was asked for, though CPUs keep free
// elements to themselves: beside keys that come and go, those that nobody touches
// would be the first to go.
func TestTableKeepsItsKeys(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	const stable, perCPU, rounds = 200, 50, 400
	script := strings.NewReplacer("PID", fmt.Sprint(os.Getpid()), "STORE", fmt.Sprint(unix.SYS_GETPGID), "DELETE", fmt.Sprint(unix.SYS_GETSID)).
		Replace(`tracepoint:raw_syscalls/sys_enter /pid == PID/ {
			if (data->id == STORE) { seen[data->args[0]] = 1; }
			if (data->id == DELETE) { delete seen[data->args[0]]; }
		}`)
	obj, err := bpfgen.Build(&plylang.Source{Text: script}, runningKernel(t),
		bpfgen.Options{MaxEntries: stable + perCPU*runtime.NumCPU()}, nil)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	tr := start(t, obj, testOptions(t))
	for i := range uintptr(stable) {
		unix.RawSyscall(unix.SYS_GETPGID, 1_000_000+i, 0, 0)
	}
	var wait sync.WaitGroup
	for cpu := range runtime.NumCPU() {
		wait.Go(func() {
			onCPU(cpu)
			for range rounds {
				for _, nr := range []uintptr{unix.SYS_GETPGID, unix.SYS_GETPGID, unix.SYS_GETSID} { // the second stores to keys that are there
					for i := range uintptr(perCPU) {
						unix.RawSyscall(nr, 2_000_000+uintptr(cpu)*perCPU+i, 0, 0)
					}
				}
			}
		})
	}
	wait.Wait()
	if n := len(counts(t, tr, obj.Maps[0], 0)); n != stable {
		t.Errorf("%d keys, want %d", n, stable)
	}
}

// onCPU binds the calling goroutine to a CPU for as long as it runs.
func onCPU(cpu int) {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(cpu)
	_ = unix.SchedSetaffinity(0, &set)
}
