package tracer

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// forbiddenCall is about seccomp filters, which refuse a system call whatever the
// privileges: of containers and of systemd's units. The filter sees such a call
// before the kernel looks at its arguments, so one that nobody would answer with
// this error tells them apart.
func forbiddenCall(err error) string {
	if !lacksPermission(err) && !is(err, unix.ENOSYS) || !isFiltered() {
		return ""
	}
	for _, call := range filteredCalls {
		if strings.Contains(err.Error(), call.in) && call.forbidden() {
			return fmt.Sprintf("a seccomp filter forbids the system call %s: allow it (systemd: SystemCallFilter=%[1]s, containers: their seccomp profile)", call.name)
		}
	}
	return ""
}

// isFiltered says whether this process has a seccomp filter.
func isFiltered() bool {
	status, err := os.ReadFile("/proc/self/status")
	return err != nil || strings.Contains(string(status), "\nSeccomp:\t2\n")
}

// filteredCalls are the system calls that profiles know to forbid. What an error
// says that comes from one has in it.
var filteredCalls = []struct {
	name, in  string
	forbidden func() bool
}{
	{"perf_event_open", "perf", func() bool { // the kernel reads the attributes first
		_, _, errno := unix.RawSyscall6(unix.SYS_PERF_EVENT_OPEN, 0, 0, 0, 0, 0, 0)
		return errno != unix.EFAULT
	}},
	{"bpf", "", func() bool { // no such command
		const none = 1 << 20
		caps := effectiveCapabilities()
		_, _, errno := unix.RawSyscall(unix.SYS_BPF, none, 0, 0)
		return errno != unix.EINVAL && (caps.has(unix.CAP_BPF) || caps.has(unix.CAP_SYS_ADMIN))
	}},
}
