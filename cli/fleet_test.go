package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/need"
)

const (
	oldKernel = "../internal/recorded/5.10-amd64.zip"
	newKernel = "../internal/recorded/7.3-amd64.zip"
)

// A configuration for the kernels of a fleet: what stands in the table, and why not
// everything runs, each reason once.
func TestFleet(t *testing.T) {
	config := writeFile(t, "probes.yaml", `scripts:
  - {name: runs, script: 'tracepoint:sched/sched_switch { @ = count(); }'}
  - {name: roots, script: 'kprobe:SyS_fchroot { @ = count(); }'}
  - {name: perhaps, script: 'kprobe:SyS_fchroot ? { @ = count(); }'}
  - {name: nowhere, script: 'tracepoint:sched/none { @ = count(); }'}
  - {name: mistaken, script: 'BEGIN { @ = cont(); }'}
`)
	r := ply(t, "check", "--kernel", oldKernel, "--kernel", newKernel, "--config", config)
	table := `script    5.10.0-46-cloud-amd64  7.3.4+deb13-cloud-amd64
runs      ok                     ok
roots     absent                 ok
perhaps   in part                ok
nowhere   absent                 absent
mistaken  error                  error

roots, absent on 5.10.0-46-cloud-amd64:
    ` + config + `:3:28: `
	if r.status != 1 || r.stderr != "3 of 5 scripts do not compile for every kernel\n" || !strings.HasPrefix(r.stdout, table) {
		t.Errorf("%+v, want\n%s", r, table)
	}
	for _, once := range []string{"nowhere, absent on 5.10.0-46-cloud-amd64, 7.3.4+deb13-cloud-amd64:\n", "mistaken, error on 5.10.0-46-cloud-amd64, 7.3.4+deb13-cloud-amd64:\n"} {
		if strings.Count(r.stdout, once) != 1 {
			t.Errorf("not once %q in\n%s", once, r.stdout)
		}
	}

	fine := writeFile(t, "fine.yaml", "scripts: [{name: runs, script: 'tracepoint:sched/sched_switch { @ = count(); }'}]")
	r = ply(t, "check", "--kernel", oldKernel, "--kernel", newKernel, "--config", fine)
	if r.status != 0 || !strings.HasSuffix(r.stdout, "all scripts compile for all 2 kernels; none has verified them\n") {
		t.Errorf("%+v", r)
	}
}

func TestWrongFleets(t *testing.T) {
	types := writeFile(t, "types", "\xeb\x9f")
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"--kernel", oldKernel, "--kernel", oldKernel}, oldKernel + " and " + oldKernel + " are both of kernel 5.10.0-46-cloud-amd64: give one of them"},
		{[]string{"--btf", types}, types + ": of which kernel it is stands in no BTF file: give --release, or name the file by it, such as 6.12.38+deb13-amd64.btf"},
		{[]string{"--btf", types, "--release", "new"}, `--release "new": a kernel's release is two numbers and what follows without spaces, such as 6.12.38+deb13-amd64`},
		{[]string{"--btf", types, "--release", "6.1; x"}, `--release "6.1; x": a kernel's release is two numbers and what follows without spaces, such as 6.12.38+deb13-amd64`},
		{[]string{"--btf", types, "--btf", types, "--release", "6.1"}, "--release 6.1 is that of one BTF file, and 2 are given: name the files by their releases"},
		{[]string{"--btf", types, "--release", "6.1"}, types + ": has the types of a machine with another byte order, which no supported architecture has"},
		{[]string{"--btf", config6(t), "--kernel", oldKernel, "--against", types}, "--against shows what changes on one kernel: give one --kernel or --btf"},
	} {
		r := ply(t, append([]string{"check"}, row.args...)...)
		if r.status != 1 || r.stderr != "ply-exporter: "+row.want+"\n" {
			t.Errorf("%v: %+v, want %q", row.args, r, row.want)
		}
	}
}

// config6 is a file named by a release.
func config6(t *testing.T) string { return writeFile(t, "6.1.0.btf", "") }

// The records that this kernel's types tell of are those that tracefs tells of, for
// tracepoints with a record of their own and for such that share one.
func TestTypesOfThisKernel(t *testing.T) {
	need.BPF(t)
	const types = "/sys/kernel/btf/vmlinux"
	named := filepath.Join(t.TempDir(), "6.18.0-here.btf")
	if err := os.Symlink(types, named); err != nil {
		t.Fatal(err)
	}
	others := others{types: []string{named}}
	k, err := others.open(0)
	if err != nil {
		t.Fatal(err)
	}
	here, err := kernel.Running()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sched/sched_switch", "sched/sched_wakeup", "sched/sched_process_exec", "sched/sched_process_exit",
		"block/block_rq_issue", "block/block_rq_complete", "irq/softirq_entry", "raw_syscalls/sys_enter", "kmem/kmalloc",
		"tcp/tcp_retransmit_skb", "sock/inet_sock_set_state", "signal/signal_generate", "syscalls/sys_exit_read"} {
		category, event, _ := strings.Cut(name, "/")
		want, err1 := here.Tracepoint(category, event)
		got, err2 := k.Tracepoint(category, event)
		if err1 != nil || err2 != nil {
			t.Errorf("%s: %v, %v", name, err1, err2)
			continue
		}
		for _, w := range want.Fields {
			if w.Common {
				continue
			}
			g := got.Field(w.Name)
			if g == nil {
				t.Errorf("%s has no %s", name, w.Name)
				continue
			}
			wantSize, wantSigned := w.Scalar()
			size, signed := g.Scalar()
			number := !w.Array && !w.Pointer && !w.Dynamic()
			if g.Offset != w.Offset || g.Size != w.Size || g.Pointer != w.Pointer || g.Array != w.Array || g.Dynamic() != w.Dynamic() ||
				g.Elem != w.Elem && w.Dynamic() || number && (size != wantSize || signed != wantSigned) {
				t.Errorf("%s: %+v, want %+v", name, *g, w)
			}
		}
	}
}
