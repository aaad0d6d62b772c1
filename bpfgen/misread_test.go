package bpfgen

import (
	"strings"
	"testing"
)

// What a call is asked for, and what it says first, is warned of where it is taken
// for what happened.
func TestMisread(t *testing.T) {
	k := recorded(t, "7.3-amd64")
	for _, row := range []struct{ script, want string }{
		{"kprobe:SyS_read { @[uid] = sum(arg2); }", "script:1:32: arg2 is how many bytes read is asked for, and not how many it moves: that is the result, as in kretprobe:SyS_read / retval > 0 / { … sum(retval) … }"},
		{"k:sys_pwrite64 { @ = avg(arg(2) / 4096); }", "arg2 is how many bytes pwrite64 is asked for"},
		{"tracepoint:syscalls/sys_enter_recvfrom { @ = sum(data->size); }", "data->size is how many bytes recvfrom is asked for"},
		{"kprobe:vfs_write { @[comm] = sum(args->count); }", "kretprobe:vfs_write / retval > 0 /"},
		{"kprobe:SyS_connect { p[tid] = *(u16 *)(arg1 + 2); }", "script:1:31: the port of an address is in network byte order: write *(__be16 *)(arg1 + 2)"},
		{"kprobe:SyS_sendto / *(unsigned short *)(arg4 + 2) == 53 / { @ = count(); }", "write *(__be16 *)(arg4 + 2)"},
		{"kretprobe:SyS_connect / retval == -111 / { @[comm] = count(); }", "script:1:35: connect of a socket that does not block returns -115, EINPROGRESS, and it is refused later"},
		{"tracepoint:syscalls/sys_exit_connect { if (data->ret in (-110, -111)) { @ = count(); } }", "returns -115"},
		{"kretprobe:SyS_openat { @[errno(retval)] = count(); }", "script:1:26: errno(retval) names results that are no errors, too: 3, as openat can return, is shown as ESRCH: / retval < 0 / keeps them out, and retval < 0 ? retval : 0 shows them as OK"},
		{"kretprobe:SyS_@(unlink|openat2) / retval != 0 / { @[errno(retval)] = count(); }", "as openat2 can return"},
		{"tracepoint:syscalls/sys_exit_read { @[errno(data->ret)] = count(); }", "/ data->ret < 0 /"},
		{"tracepoint:raw_syscalls/sys_exit { printf(\"%v\", errno(data->ret)); }", "as read can return"},
		{"tracepoint:skb/kfree_skb / data->protocol == 17 / { @ = count(); }", "script:1:46: data->protocol is the type of the frame, 0x800 of IPv4 and 0x86dd of IPv6, and never 17: that is UDP in the IP header"},
		{"tracepoint:net/net_dev_queue { skb = (struct sk_buff *)data->skbaddr; if (skb->protocol in (0x800, 6)) { @ = count(); } }", "skb->protocol is the type of the frame"},
		{"kretprobe:SyS_@(open|openat) / retval == -1 / { @ = count(); }", "script:1:42: -1 is the error EPERM alone: retval < 0 is any error"},
		{"tracepoint:syscalls/sys_exit_read { if (data->ret != -1) { @ = count(); } }", "data->ret < 0 is any error"},
		{"tracepoint:sched/sched_process_exit / curtask->exit_code == 1 / { @ = count(); }", "script:1:61: curtask->exit_code has the signal in its low 7 bits, and what the process gave to exit above: curtask->exit_code >> 8 is that"},
		{"tracepoint:sched/sched_process_exit / curtask->signal->group_exit_code in (0, 137) / { @ = count(); }", "curtask->signal->group_exit_code >> 8"},
		{"kprobe:SyS_open { @[comm] = count(); }", "script:1:1: few programs call open: the C library's open() makes another system call: SyS_@(open|openat|openat2)"},
		{"tracepoint:syscalls/sys_exit_fork { @ = count(); }", "SyS_@(fork|vfork|clone|clone3)"},
		{"tracepoint:syscalls/sys_enter_openat { @[data->filename] = count(); }", "script:1:48: data->filename is the address of a text, and many texts have the same one: str(data->filename) is the text"},
		{"kprobe:SyS_openat { @[comm, args->filename].count(); }", "str(args->filename) is the text"},
		{"kprobe:SyS_openat { @[arg1] = count(); }", "script:1:23: arg1 is the address of a text, and many texts have the same one: str(arg1) is the text"},
		{"kprobe:SyS_openat { @[str(arg0)] = count(); }", "script:1:23: arg0 is a number of 4 bytes, and no address of a text"},
		{"tracepoint:syscalls/sys_enter_openat { @[str(data->mode)] = count(); }", "data->mode is a number of 2 bytes"},
		{"kprobe:SyS_open* / str(arg1) == \"/dev/null\" / { @ = count(); }", ""},
		{"kprobe:SyS_openat { @[arg0, arg2] = count(); @a[(u64)arg1] = count(); }", ""},
		{"kretprobe:SyS_openat { @[errno(-retval)] = count(); }", "script:1:26: errno(-retval) names results that are no errors, too: 3, as openat can return, is shown as ESRCH: / retval < 0 /"},
		{"tracepoint:sched/sched_process_exit { @[comm, curtask->exit_code] = count(); }", "script:1:56: curtask->exit_code is 256 after exit(1): curtask->exit_code >> 8 is what the process gave to exit, and signal(curtask->exit_code & 0x7f) what killed it"},
		{"kprobe:SyS_openat / comm == \"nginx*\" / { @ = count(); }", "script:1:29: the * of \"nginx*\" stands for itself, since text has no patterns: startswith(comm, \"nginx\") is text that begins so"},
		{"kprobe:SyS_openat / startswith(str(arg1), \"/etc/.*\") / { @ = count(); }", "startswith(str(arg1), \"/etc/\")"},
		{"kprobe:SyS_openat / comm in (\"a\", \"b*\") / { @ = count(); }", "startswith(comm, \"b\")"},
		{"tracepoint:block/block_rq_issue / data->rwbs == \"R\" / { @ = count(); }", "script:1:49: data->rwbs may have further letters, as RA of a read ahead and WS of a write that is waited for: startswith(data->rwbs, \"R\") is all of them"},
		{"tracepoint:task/task_newtask { @alive[comm]++; } tracepoint:sched/sched_process_exit { @alive[comm]--; }", "script:1:95: a task may have another name here than where @alive[comm]++ counted it, its parent's: keep the name it had, as in name[tid] = comm"},

		{"tracepoint:sched/sched_switch / data->prev_state == 0 / { @[data->prev_comm] = count(); }", "script:1:53: data->prev_state is 256, and not 0, of a task that is preempted in the kernel: (data->prev_state & 0xff) == 0 is any task that would have gone on"},
		{"tracepoint:sched/sched_switch { @[data->prev_state != R] = count(); }", "(data->prev_state & 0xff) == 0"},
		{"tracepoint:sched/sched_switch { if (!data->prev_state) { @ = count(); } }", "(data->prev_state & 0xff) == 0"},

		{"tracepoint:block/block_rq_issue { @[comm, data->dev] = count(); }", "script:1:49: data->dev is the number of a device, 8388608 of 8:0: dev(data->dev) is its name"},
		{"kprobe:vfs_read { f = args->file; @[f->f_inode->i_sb->s_dev] = sum(1); }", "dev(f->f_inode->i_sb->s_dev) is its name"},

		{"tracepoint:block/block_rq_issue { @[dev(data->dev)] = count(); at[data->dev, data->sector] = time; @d[data->dev == 5] = count(); }", ""},
		{"kprobe:SyS_openat { @[((struct super_block *)arg1)->s_dev] = count(); }", ""},
		{"tracepoint:sched/sched_switch / data->prev_state == 0 || data->prev_state == 256 / { @ = count(); }", ""},
		{"tracepoint:sched/sched_switch / data->prev_state in (0, 256) || (data->prev_state & 0xff) == 0 || data->prev_state == 2 / { @ = count(); }", ""},
		{"tracepoint:task/task_newtask { @alive[uid]++; } tracepoint:sched/sched_process_exit { @alive[uid]--; }", ""},
		{"kprobe:SyS_read { @in[comm]++; } kretprobe:SyS_read { @in[comm]--; }", ""},
		{"kretprobe:SyS_openat / retval < 0 / { @[errno(-retval)] = count(); }", ""},
		{"tracepoint:sched/sched_process_exit { @[curtask->exit_code >> 8] = count(); at[tid] = curtask->exit_code; }", ""},
		{"kprobe:SyS_openat / comm == \"*\" || str(arg1) == \"a*b\" / { @ = count(); }", ""},
		{"tracepoint:block/block_rq_issue / startswith(data->rwbs, \"R\") || data->rwbs == \"RA\" / { @ = count(); }", ""},
		{"kprobe:SyS_read { @[comm] = quantize(arg2); }", ""},
		{"kprobe:SyS_connect { @[ntohs(*(u16 *)(arg1 + 2))] = count(); }", ""},
		{"kprobe:SyS_connect { port = *(u16 *)(arg1 + 2); if (ntohs(port) == 53) { @ = count(); } }", ""},
		{"tracepoint:sched/sched_process_exec { @[data->filename] = count(); }", ""},
		{"kprobe:SyS_openat { path[tid] = args->filename; @[str(args->filename)] = count(); @a[(u64)args->filename] = count(); }", ""},
		{"kprobe:SyS_@(open|openat), kprobe:SyS_exit_group { @[comm] = count(); }", ""},
		{"kretprobe:SyS_kill / errno(retval) == -1 / { @ = count(); }", ""},
		{"kretprobe:SyS_kill / retval in (-1, -3) / { @ = count(); }", ""},
		{"tracepoint:sched/sched_process_exit / curtask->exit_code == 0 || curtask->exit_code >> 8 == 1 || curtask->exit_code == 9 / { @ = count(); }", ""},
		{"kretprobe:SyS_@(setuid|unlink) { @[errno(retval)] = count(); }", ""},
		{"kretprobe:SyS_openat { @[errno(retval < 0 ? retval : 0)] = count(); }", ""},
		{"kretprobe:SyS_* { if (retval >= 0) { return; } @[errno(retval)] = count(); }", ""},
		{"kretprobe:SyS_read / retval in (-4, -11) / { @[errno(retval)] = count(); }", ""},
		{"tracepoint:sock/inet_sock_set_state / data->protocol == 6 / { @ = count(); }", ""},
		{"tracepoint:skb/kfree_skb / data->protocol == 0x800 / { skb = (struct sk_buff *)data->skbaddr; @[((struct iphdr *)(skb->head + skb->network_header))->protocol == 17] = count(); }", ""},
		{"kprobe:SyS_read { @[comm] = max(arg2); @n[arg2] = count(); }", ""},
		{"kprobe:SyS_lseek { @ = sum(arg2); }", ""},
		{"kprobe:SyS_read { asked[tid] = arg2; } kretprobe:SyS_read / retval > 0 / { @ = sum(asked[tid] - retval); }", ""},
		{"kretprobe:SyS_read / retval > 0 / { @ = sum(retval); }", ""},
		{"kprobe:SyS_connect / *(u16 *)arg1 == 2 / { @[*(__be16 *)(arg1 + 2)] = count(); }", ""},
		{"kprobe:SyS_read { @[*(u16 *)(arg1 + 2)] = count(); }", ""},
		{"kretprobe:SyS_connect / retval < 0 && retval != -115 / { @[errno(retval)] = count(); }", ""},
		{"kretprobe:SyS_bind / retval == -111 / { @ = count(); }", ""},
	} {
		got := Misread(checkedScript(t, k, row.script))
		if row.want == "" && len(got) > 0 || row.want != "" && (len(got) != 1 || !strings.Contains(got[0].Error(), row.want)) {
			t.Errorf("%s: got\n%v\nwant %q", row.script, got, row.want)
		}
	}
}
