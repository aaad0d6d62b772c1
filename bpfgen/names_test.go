package bpfgen

import "testing"

// A name that does not exist is answered with the one that was meant, as it is
// written there.
func TestWrongNames(t *testing.T) {
	for _, row := range []struct{ kernel, script, want string }{
		{"6.18-amd64", `tracepoint:sched/sched_switch { @[prev_comm] = count(); }`, `script:1:35: no variable or built-in named "prev_comm"; write data->prev_comm`},
		{"6.18-amd64", `tracepoint:sched/sched_switch { @[prev_comn] = count(); }`, `script:1:35: no variable or built-in named "prev_comn"; did you mean "data->prev_comm"?`},
		{"6.18-amd64", `kprobe:sys_read { @ = sum(fd); }`, `script:1:27: no variable or built-in named "fd"; write args->fd`},
		{"6.18-amd64", `kretprobe:SyS_write { @[fd] = sum(retval); }`, `script:1:25: no variable or built-in named "fd": keep it where the call begins, as in kprobe:SyS_write { @x[tid] = args->fd; }`},
		{"6.18-amd64", `tracepoint:syscalls/sys_exit_openat { @[str(filename)] = count(); }`, `script:1:45: no variable or built-in named "filename": keep it where the call begins, as in tracepoint:syscalls/sys_enter_openat { @x[tid] = data->filename; }`},
		{"6.18-amd64", `tracepoint:syscalls:sys_exit_openat { @[str(data->filename)] = count(); }`, `script:1:51: tracepoint syscalls/sys_exit_openat has no member "filename": keep it where the call begins, as in tracepoint:syscalls:sys_enter_openat { @x[tid] = data->filename; }`},
		{"6.18-amd64", `kretprobe:SyS_write { @[fdd] = sum(retval); }`, `script:1:25: no variable or built-in named "fdd"`},
		{"7.3-amd64", `kretprobe:SyS_@(read|write) { @[fd] = sum(retval); }`, `script:1:33: no variable or built-in named "fd"`},
		{"7.3-amd64", `kprobe:vfs_read { @ = sum(count); }`, `script:1:27: count is a function: write count(), or args->count`},
		{"7.3-amd64", `kprobe:vfs_read { @ = sum(buff); }`, `script:1:27: no variable or built-in named "buff"; did you mean "args->buf"?`},
	} {
		_, err := build(recorded(t, row.kernel), row.script, Options{})
		if err == nil || err.Error() != row.want {
			t.Errorf("%s\ngives %v\nwant  %s", row.script, err, row.want)
		}
	}
}
