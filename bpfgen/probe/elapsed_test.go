package probe_test

import (
	"strings"
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
)

// What notes when calls begin, for elapsed: one program for all that returns at one
// place, and nothing where the kernel does it.
func TestPlansOfElapsed(t *testing.T) {
	for _, row := range []struct {
		kernel  string
		session bool
		plain   bool
		script  string
		want    string
	}{
		{
			kernel: "6.18-amd64",
			script: `kretprobe:SyS_read { @ = max(elapsed); } kretprobe:SyS_@(read|write) / elapsed > 1s / { @s[func] = count(); } kretprobe:SyS_write { @n = count(); }`,
			want: `raw_tracepoint sched_process_free
raw_tracepoint sys_enter
raw_tracepoint sys_exit(2)`,
		},
		{
			kernel: "7.3-amd64",
			script: `tracepoint:syscalls/sys_exit_@(read|write) { @ = max(elapsed); } tracepoint:raw_syscalls/sys_exit { @a = max(elapsed); }`,
			want: `raw_tracepoint sched_process_free
tracepoint raw_syscalls/sys_enter
tracepoint raw_syscalls/sys_exit(2)`,
		},
		{
			kernel: "5.10-amd64", plain: true,
			script: `tracepoint:syscalls/sys_exit_@(read|write) { @ = max(elapsed); }`,
			want: `raw_tracepoint sched_process_free
tracepoint syscalls/sys_enter_read syscalls/sys_enter_write
tracepoint syscalls/sys_exit_read syscalls/sys_exit_write`,
		},
		{ // they return where a seccomp filter refuses them
			kernel: "6.18-amd64",
			script: `tracepoint:syscalls/sys_exit_exit_group { @ = max(elapsed); }`,
			want: `raw_tracepoint sched_process_free
raw_tracepoint sys_enter
raw_tracepoint sys_exit`,
		},
		{
			kernel: "5.10-amd64",
			script: `kretprobe:vfs_@(read|write) { @ = max(elapsed); }`,
			want: `kprobe vfs_read vfs_write
kretprobe vfs_read vfs_write`,
		},
		{
			kernel: "7.3-amd64", session: true,
			script: `kretprobe:vfs_read { @ = max(elapsed); } kretprobe:vfs_read { @n = count(); }`,
			want:   `kprobe_session vfs_read`,
		},
		{
			kernel: "7.3-amd64", session: true,
			script: `kretprobe:vfs_read { @n = count(); }`,
			want:   `kretprobe_multi vfs_read`,
		},
		{ // registers are not to be had in a session
			kernel: "7.3-amd64", session: true,
			script: `kretprobe:vfs_read { @[regs->ip] = max(elapsed); }`,
			want: `kprobe vfs_read
kretprobe vfs_read`,
		},
		{ // nor is the stack pointer, where there are no sessions
			kernel: "7.3-amd64",
			script: `kretprobe:vfs_read { @ = max(elapsed); }`,
			want: `kprobe vfs_read
kretprobe vfs_read`,
		},
	} {
		t.Run(row.kernel+" "+row.script, func(t *testing.T) {
			k := open(t, row.kernel)
			k.SetProber(func(f kernel.Feature) (known, has bool) { return f == kernel.KprobeSession, row.session })
			o, err := build(k, row.script, bpfgen.Options{PlainAttach: row.plain})
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for line := range strings.Lines(planText(o)) {
				how, _, _ := strings.Cut(line, ":")
				lines = append(lines, how)
			}
			if got := strings.Join(lines, "\n"); got != row.want {
				t.Errorf("got\n%s\nwant\n%s", got, row.want)
			}
		})
	}
}

// What has no return has no elapsed.
func TestNoElapsed(t *testing.T) {
	const where = "elapsed exists in tracepoint:syscalls/sys_exit_*, kretprobe, fexit or uretprobe, not in "
	const instead = ": it is the time of the call that returns; that of anything else is time - @begin[tid], with @begin[tid] = time where it begins"
	for script, place := range map[string]string{
		`kprobe:SyS_read { @ = max(elapsed); }`:                    "script:1:27: " + where + "kprobe",
		`tracepoint:syscalls/sys_enter_read { @ = max(elapsed); }`: "script:1:46: " + where + "tracepoint:syscalls/sys_enter_read",
		`tracepoint:raw_syscalls/* { @ = max(elapsed); }`:          "script:1:37: " + where + "tracepoint:raw_syscalls/*",
		`BEGIN { print(elapsed); }`:                                "script:1:15: " + where + "BEGIN",
	} {
		if _, err := build(open(t, "6.18-amd64"), script, bpfgen.Options{}); err == nil || err.Error() != place+instead {
			t.Errorf("%s\ngot  %v\nwant %s", script, err, place+instead)
		}
	}
}
