package bpfgen

import (
	"testing"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/live"
)

// A clause that asks for nothing of the task tells native system calls by the
// caller's registers, and looks at the task only where they do not tell. Others
// fetch the task anyway.
func TestNativeByRegisters(t *testing.T) {
	k := live.Kernel(t)
	cast, ok := k.Cast()
	ok = ok && k.Arch().NativeCall.Code != "" && k.Has(kernel.RawTracepointsExact)
	for _, row := range []struct {
		script string
		casts  int
	}{
		{"kprobe:SyS_getppid { @ = count(); }", 1},
		{"kprobe:SyS_getppid / comm == \"x\" / { @ = count(); }", 0},
		{"kprobe:SyS_kill { @ = sum(arg0); }", 0},
		{"kprobe:SyS_kill { @ = sum(arg0); } kprobe:SyS_getppid { @n = count(); }", 1},
	} {
		casts := 0
		for _, ins := range compile(t, k, row.script, Options{}).Spec.Programs["kprobe_0"].Instructions {
			if ins.OpCode.JumpOp() == asm.Call && ins.Src == asm.PseudoKfuncCall && ins.Constant == int64(cast.Function) {
				casts++
			}
		}
		if want := emit.Pick(ok, row.casts, 0); casts != want {
			t.Errorf("%s loads the registers %d times, want %d", row.script, casts, want)
		}
	}
}
