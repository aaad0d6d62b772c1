package cli

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// openFiles fails to open two files n times each.
func openFiles(n int) int {
	for range n {
		_, missing := unix.Open("/etc/ply-moved", unix.O_RDONLY, 0)
		_, link := unix.Open("/proc/self/exe", unix.O_RDONLY|unix.O_NOFOLLOW, 0)
		if missing != unix.ENOENT || link != unix.ELOOP {
			return 1
		}
	}
	return 0
}

// A script that names a function which others do the work of is attached to
// that one, and counts what it would have counted.
func TestMovedFunctions(t *testing.T) {
	need.EachArch(t)
	need.Kprobes(t)
	const n = 50
	opens := asCommand + "= " + asOpens + "=" + strconv.Itoa(n) + " exec " + os.Args[0]
	packets := asCommand + "= " + asPackets + "=" + strconv.Itoa(n) + " exec " + os.Args[0]
	const ours = `/ pid == $target && str(arg1, 16) == "/etc/ply-moved" /`
	for _, row := range []struct{ script, command, want, note string }{
		{"kprobe:do_sys_open " + ours + " { @[(s32)arg0, func] = count(); }", opens,
			"[ -100, do_sys_openat2 ]        50", "do_sys_open is attached to do_sys_openat2, which does its work since Linux 5.6 and that of openat2(2)"},
		{"kretprobe:do_sys_open / pid == $target && retval == -40 / { @[errno(-retval)] = count(); }", opens, "ELOOP                 50", "do_sys_open is attached to do_sys_openat2"},
		{"kprobe:dev_queue_xmit / pid == $target / { @[((struct sk_buff *)arg0)->len] = count(); }", packets, "58                    50", ""},
	} {
		r := ply(t, "run", "-c", row.command, row.script)
		if !strings.Contains(r.stdout, row.want) || !strings.Contains(r.stderr, row.note) {
			t.Errorf("%s:\n%s%s", row.script, r.stdout, r.stderr)
		}
	}
}

// What has no successor is an error that names what to use.
func TestGoneFunctions(t *testing.T) {
	need.OldAndNew(t)
	need.Kprobes(t)
	for _, row := range []struct{ script, want string }{
		{"kprobe:do_execve { @ = count(); }", "this kernel has no function do_execve, which is gone or inlined since Linux 5.10: use kprobe:sys_execve or tracepoint:sched/sched_process_exec"},
		{"kprobe:do_sys_open { @[arg2] = count(); }", "arg2 of do_sys_open is no argument of do_sys_openat2, to which it is attached: write args->how->flags"},
	} {
		if r := ply(t, "run", row.script); r.status != 1 || !strings.Contains(r.stderr, row.want) {
			t.Errorf("%s: %+v", row.script, r)
		}
	}
}

// A copy that the compiler made of a function fires; where the kernel does not
// declare its arguments, a note says that they may be others.
func TestCopiedFunctions(t *testing.T) {
	need.OldAndNew(t)
	need.Kprobes(t)
	script := "kprobe:finish_task_switch { @ = max(arg0 != 0); }"
	r := ply(t, "run", "-c", "sleep 0.1", script)
	if !strings.HasSuffix(r.stdout, "@: 1\n") {
		t.Errorf("%+v", r)
	}
}
