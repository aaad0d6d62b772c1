package probe_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

const callFormat = `name: sys_enter_newest
ID: 999
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:int __syscall_nr;	offset:8;	size:4;	signed:1;
	field:int fd;	offset:16;	size:8;	signed:0;

print fmt: "fd: 0x%08lx", ((unsigned long)(REC->fd))
`

// newestKernel has a system call that is newer than this program.
func newestKernel(t *testing.T) *kernel.Kernel {
	const events = "sys/kernel/tracing/events/syscalls/"
	return withFiles(t, "7.3-amd64", map[string]string{
		events + "sys_enter_newest/format": callFormat,
		events + "sys_exit_newest/format":  callFormat,
	})
}

// promises is what a plan says of events that are missed.
var promises = regexp.MustCompile(`; through perf: .*`)

// What came after this program is counted all the same: by its number in a glob,
// and by its name at its own tracepoint.
func TestNewerSyscalls(t *testing.T) {
	for _, row := range []struct{ script, want string }{
		{`kprobe:SyS_fchroot { @[func] = count(); }`,
			`tracepoint raw_syscalls/sys_enter: one attachment to raw_syscalls/sys_enter for 1 system call`},
		{`kprobe:SyS_472 { @[args->fd] = count(); }`,
			`tracepoint raw_syscalls/sys_enter: one attachment to raw_syscalls/sys_enter for 1 system call`},
		{`kprobe:SyS_500 { @[arg0] = count(); }`,
			`tracepoint raw_syscalls/sys_enter: one attachment to raw_syscalls/sys_enter for 1 system call`},
		{`kretprobe:SyS_* { @[func] = count(); }`,
			`tracepoint raw_syscalls/sys_exit(108): one attachment to raw_syscalls/sys_exit for 108 system calls`},
		{`kprobe:SyS_5* { @[func] = count(); }`,
			`tracepoint raw_syscalls/sys_enter(12): one attachment to raw_syscalls/sys_enter for 12 system calls`},
		{`kprobe:SyS_newest { @[args->fd] = count(); }`,
			`tracepoint syscalls/sys_enter_newest: the tracepoint of its own, because its number came after this program`},
		{`kretprobe:SyS_newest { @[retval] = count(); }`,
			`tracepoint syscalls/sys_exit_newest: the tracepoint of its own, because its number came after this program`},
		{`kprobe:SyS_@(read|newest) { @[func, probe, arg0] = count(); }`,
			"tracepoint raw_syscalls/sys_enter: one attachment to raw_syscalls/sys_enter for 1 system call\n" +
				"tracepoint syscalls/sys_enter_newest: the tracepoint of its own, because its number came after this program"},
	} {
		o, err := build(newestKernel(t), row.script, bpfgen.Options{})
		if err != nil {
			t.Errorf("%s: %v", row.script, err)
			continue
		}
		if got := promises.ReplaceAllString(planText(o), ""); got != row.want {
			t.Errorf("%s: got:\n%s\nwant:\n%s", row.script, got, row.want)
		}
	}
}

// The record of a call's own tracepoint ends with its arguments.
func TestNewerSyscallArguments(t *testing.T) {
	_, err := build(newestKernel(t), `kprobe:SyS_newest { @[arg0, arg1] = count(); }`, bpfgen.Options{})
	if err == nil || !strings.Contains(err.Error(), "script:1:29: there is no arg1") {
		t.Errorf("the second argument of a call with one: %v", err)
	}
}

// A number without a name counts as sys_N on all architectures.
func TestUnnamedSyscallProbes(t *testing.T) {
	for _, name := range recorded.Names() {
		for script, want := range map[string]string{
			`kprobe:SyS_* { @[probe] = count(); }`:    "kprobe:sys_500",
			`kretprobe:sys_* { @[probe] = count(); }`: "kretprobe:sys_500",
		} {
			o, err := build(open(t, name), script, bpfgen.Options{})
			if err != nil {
				t.Errorf("%s on %s: %v", script, name, err)
				continue
			}
			if !slices.Contains(o.Probes, want) || !hasBit(o, 511) || hasBit(o, 470) {
				t.Errorf("%s on %s: 511 is no call, or %s no name", script, name, want)
			}
		}
	}
}

// hasBit says whether the only table of calls that programs have has a number.
func hasBit(o *object.Object, number int) bool {
	table := o.Spec.Maps[emit.ConstantMap].Contents[0].Value.([]byte)
	return len(table) > number/8 && table[number/8]>>(number%8)&1 == 1
}

// A call whose function the kernel names only to say that it is left out is not
// there, with tracepoints of calls or without.
func TestSyscallsLeftOut(t *testing.T) {
	k := open(t, "7.3-amd64")
	for _, opt := range []bpfgen.Options{{}, {PlainAttach: true}} {
		_, err := build(k, `kprobe:sys_rseq_slice_yield { @ = count(); }`, opt)
		if err == nil || !strings.Contains(err.Error(), "this kernel is built without the system call rseq_slice_yield") {
			t.Errorf("plain %v: %v", opt.PlainAttach, err)
		}
	}
	_, err := build(k, `kprobe:sys_500 { @ = count(); }`, bpfgen.Options{PlainAttach: true})
	if err == nil || !strings.Contains(plylang.Detail(err), "the function of system call 500 is not known: leave out --attach=plain") {
		t.Errorf("plainly: %v", err)
	}
}
