package probe_test

import (
	"fmt"
	"strings"
	"testing"

	"ply-exporter/bpfgen/probe"
)

// A line for each probe, with what it carries behind it.
func TestList(t *testing.T) {
	for _, row := range []struct {
		kernel, pattern string
		vars            bool
		want            string
	}{
		{"6.18-amd64", "tracepoint:sched/sched_wakeup*", false,
			"tracepoint:sched/sched_wakeup\ntracepoint:sched/sched_wakeup_new"},
		{"6.18-amd64", "t:sched:sched_process_exec", true,
			"tracepoint:sched/sched_process_exec data->filename(__data_loc char[]) data->pid(pid_t) data->old_pid(pid_t)"},
		{"6.18-amd64", "kprobe:sys_read", true,
			"kprobe:sys_read args->fd(unsigned int) args->buf(char *) args->count(size_t)"},
		{"6.18-amd64", "kprobe:SyS_rea", false, "kprobe:sys_read\nkprobe:sys_readv"},
		{"6.18-amd64", "kretprobe:SyS_read", true, "kretprobe:sys_read retval(long)"},
		{"6.18-amd64", "kprobe:SyS_wri*", false, "kprobe:sys_write\nkprobe:sys_writev"},
		{"5.10-amd64", "kprobe:sys_newuname", false, "kprobe:sys_uname"},
		{"6.18-amd64", "kretprobe:sys_@(read|exit_group)", true, "kretprobe:sys_read retval(long)"},
		{"7.3-amd64", "k:vfs_writ@(e)", true,
			"kprobe:vfs_write args->file(struct file *) args->buf(const char *) args->count(size_t) args->pos(loff_t *)"},
		{"7.3-amd64", "kr:vfs_writ@(e)", true, "kretprobe:vfs_write retval(ssize_t)"},
		{"7.3-amd64", "fentry:vfs_writ@(e)", true,
			"fentry:vfs_write args->file(struct file *) args->buf(const char *) args->count(size_t) args->pos(loff_t *)"},
		{"5.10-amd64", "kretfunc:vfs_write", true,
			"fexit:vfs_write args->file(struct file *) args->buf(const char *) args->count(size_t) args->pos(loff_t *) retval(ssize_t)"},
		{"6.18-amd64", "fentry:vfs_write", false, ""},
		{"7.3-amd64", "fexit:do_exit", false, ""},
		{"5.10-amd64", "rt:sched_process_exec", true,
			"rawtracepoint:sched_process_exec args->p(struct task_struct *) args->old_pid(pid_t) args->bprm(struct linux_binprm *)"},
		{"7.3-amd64", "process_exec", false,
			"tracepoint:sched/sched_process_exec\nrawtracepoint:sched_process_exec"},
		{"6.18-amd64", "software:*faults", false,
			"software:page-faults\nsoftware:minor-faults\nsoftware:major-faults\nsoftware:alignment-faults\nsoftware:emulation-faults"},
		{"6.18-amd64", "interval:", false, ""},
	} {
		t.Run(row.kernel+" "+row.pattern, func(t *testing.T) {
			found, err := probe.List(open(t, row.kernel), row.pattern, row.vars)
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, l := range found {
				line := l.Name
				for _, v := range l.Vars {
					line += fmt.Sprintf(" %s(%s)", v.Name, v.Type)
				}
				lines = append(lines, line)
			}
			if got := strings.Join(lines, "\n"); got != row.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, row.want)
			}
		})
	}
}
