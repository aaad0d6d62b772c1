package bpfgen

import (
	"testing"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/live"
)

// A clause that asks for nothing of the task tells native system calls by the
// caller's registers, and looks at the task only where they do not tell. Others
// fetch the task anyway. Arguments, and the number of a call that returns, are in
// the registers. All clauses of a program ask once.
func TestNativeByRegisters(t *testing.T) {
	k := live.Kernel(t)
	cast, ok := k.Cast()
	ok = ok && k.Has(kernel.RawTracepointsExact)
	byRegisters := k.Arch().NativeCall.Code != ""
	for _, row := range []struct {
		script string
		casts  int // those for native calls among them
		others int // where registers do not tell them
	}{
		{"kprobe:SyS_getppid { @ = count(); }", 1, 0},
		{"kprobe:SyS_getppid / comm == \"x\" / { @ = count(); }", 0, 0},
		{"kprobe:SyS_kill { @ = sum(arg0); }", 2, 1},
		{"kprobe:SyS_kill { @ = sum(arg0); } kprobe:SyS_getppid { @n = count(); }", 2, 1},
		{"kretprobe:SyS_kill { @ = count(); }", 2, 1},
	} {
		casts := 0
		for _, ins := range programOf(compile(t, k, row.script, Options{})) {
			if ins.OpCode.JumpOp() == asm.Call && ins.Src == asm.PseudoKfuncCall && ins.Constant == int64(cast.Function) {
				casts++
			}
		}
		if want := emit.Pick(ok, emit.Pick(byRegisters, row.casts, row.others), 0); casts != want {
			t.Errorf("%s loads the registers %d times, want %d", row.script, casts, want)
		}
	}
}

// programOf returns the instructions of the only program.
func programOf(o *object.Object) asm.Instructions {
	return o.Spec.Programs[o.Programs[0].Name].Instructions
}
