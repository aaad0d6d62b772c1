package bpfgen

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// TestAbsencesCostNothing compares what becomes of a script that is for many kernels
// with what becomes of the one that names what this kernel has: identity and plan
// are the same, each time.
func TestAbsencesCostNothing(t *testing.T) {
	const old, newest = "5.10-amd64", "7.3-amd64"
	for _, row := range []struct{ text, old, newest string }{
		{"tracepoint:block/block_io_start ? kprobe:blk_account_io_start { @[probe] = count(); }",
			"kprobe:blk_account_io_start { @[probe] = count(); }", "tracepoint:block/block_io_start { @[probe] = count(); }"},
		{"kprobe:vfs_nope ? kprobe:vfs_read ?, tracepoint:block/block_io_start ? { @[comm] = sum(1); }",
			"kprobe:vfs_read { @[comm] = sum(1); }", "kprobe:vfs_read, tracepoint:block/block_io_start { @[comm] = sum(1); }"},
		{"tracepoint:skb/kfree_skb { @[exists(data->reason) ? data->reason : 7] = count(); if (!exists(data->reason)) return; @b = count(); }",
			"tracepoint:skb/kfree_skb { @[7] = count(); return; }", "tracepoint:skb/kfree_skb { @[data->reason] = count(); @b = count(); }"},
		{"tracepoint:skb/kfree_skb / exists(data->reason) && data->reason > 3 / { @ = count(); } BEGIN { @n = 1; }",
			"BEGIN { @n = 1; }", "tracepoint:skb/kfree_skb / data->reason > 3 / { @ = count(); } BEGIN { @n = 1; }"},
		{"kretprobe:vfs_read / exists(struct nope) || exists(kprobe:vfs_read) && retval > 0 / { @ = sum(retval); }",
			"kretprobe:vfs_read / retval > 0 / { @ = sum(retval); }", "kretprobe:vfs_read / retval > 0 / { @ = sum(retval); }"},
		{"kprobe:vfs_@(read|fsync) { if (exists(args->count)) @a = sum(args->count); else @b = sum(args->datasync); }",
			"kprobe:vfs_read { @a = sum(args->count); } kprobe:vfs_fsync { @b = sum(args->datasync); }",
			"kprobe:vfs_read { @a = sum(args->count); } kprobe:vfs_fsync { @b = sum(args->datasync); }"},
		{"kprobe:sys_nope ? kretprobe:sys_read { @[exists(retval) ? retval : arg0] = count(); }",
			"kretprobe:sys_read { @[retval] = count(); }", "kretprobe:sys_read { @[retval] = count(); }"},
		{"kprobe:vfs_read, kretprobe:vfs_read { if (!exists(elapsed)) @n = count(); else @t = sum(elapsed); }",
			"kprobe:vfs_read { @n = count(); } kretprobe:vfs_read { @t = sum(elapsed); }",
			"kprobe:vfs_read { @n = count(); } kretprobe:vfs_read { @t = sum(elapsed); }"},
		{"tracepoint:syscalls/sys_exit_read { @n = count(); if (exists(struct nope)) @t = sum(elapsed); }",
			"tracepoint:syscalls/sys_exit_read { @n = count(); }", "tracepoint:syscalls/sys_exit_read { @n = count(); }"},
		{"kprobe:vfs_@(read|write) { @[exists(probe) && exists(struct nope) ? probe : func] = count(); }",
			"kprobe:vfs_@(read|write) { @[func] = count(); }", "kprobe:vfs_@(read|write) { @[func] = count(); }"},
		{"tracepoint:sched/nope ? { @ = count(); }", "", ""},
	} {
		for name, plain := range map[string]string{old: row.old, newest: row.newest} {
			k := recorded(t, name)
			obj, err := build(k, row.text, Options{})
			if err != nil {
				t.Fatalf("%s: %s\n%s", name, row.text, plylang.Detail(err))
			}
			again, err := build(k, row.text, Options{})
			if err != nil || again.Hash != obj.Hash {
				t.Errorf("%s: %s is another script the second time", name, row.text)
			}
			if plain == "" {
				if n := len(obj.Programs); n > 0 {
					t.Errorf("%s: %d programs for %s", name, n, row.text)
				}
				continue
			}
			want, err := build(k, plain, Options{})
			if err != nil {
				t.Fatalf("%s: %s\n%s", name, plain, plylang.Detail(err))
			}
			if got, want := planText(obj), planText(want); got != want {
				t.Errorf("%s: %s is\n%sand not as %s\n%s", name, row.text, got, plain, want)
			}
		}
	}
}

// planText is what is attached to what, the code, and what it counts into.
func planText(obj *object.Object) string {
	var b strings.Builder
	for _, p := range obj.Programs {
		var code []byte
		for _, ins := range obj.Spec.Programs[p.Name].Instructions {
			code = appendInstruction(code, ins)
		}
		fmt.Fprintf(&b, "%s %s, code %x, at", p.Name, p.Attach, sha256.Sum256(code))
		for _, at := range p.Points {
			fmt.Fprintf(&b, " %v", at.Site)
		}
		b.WriteByte('\n')
	}
	for _, m := range obj.Maps {
		fmt.Fprintf(&b, "%s %d bytes by %d\n", m.Name, m.Size, m.KeySize)
	}
	fmt.Fprintf(&b, "%q\n", obj.Probes)
	return b.String()
}
