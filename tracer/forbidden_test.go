package tracer

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// asFiltered makes the test binary forbid itself a system call, and then start a
// script and print the error.
const asFiltered = "PLY_TEST_WITH_FILTER"

// forbid installs a seccomp filter that answers a system call, "name errno", with
// an error, and executes this program again.
func forbid(call string) {
	var name string
	var errno uint32
	if _, err := fmt.Sscan(call, &name, &errno); err != nil {
		panic(err)
	}
	number := map[string]uint32{"bpf": unix.SYS_BPF, "perf_event_open": unix.SYS_PERF_EVENT_OPEN}[name]
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: number, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | errno},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		panic(err)
	}
	os.Unsetenv(asFiltered)
	os.Setenv(asHelper, "")
	panic(unix.Exec("/proc/self/exe", os.Args, os.Environ()))
}

// A filter that forbids a system call is named, with the call, whatever it answers.
func TestForbiddenCalls(t *testing.T) {
	need.BPF(t)
	for _, name := range []string{"bpf", "perf_event_open"} {
		for _, errno := range []syscall.Errno{unix.EPERM, unix.ENOSYS} {
			t.Run(fmt.Sprintf("%s %d", name, errno), func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				cmd := exec.CommandContext(ctx, "/proc/self/exe")
				cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", asFiltered, name, errno))
				out, _ := cmd.CombinedOutput()
				if want := "a seccomp filter forbids the system call " + name + ": allow it"; !strings.Contains(string(out), want) {
					t.Errorf("printed %q, want %q", out, want)
				}
			})
		}
	}
}
